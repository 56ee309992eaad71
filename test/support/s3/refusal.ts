/** An answer other than success, in S3's words: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. */
export class S3Refusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'S3Refusal'
    this.status = status
    this.code = code
  }
}
