import { map, merge, type Observable } from 'rxjs'

/** A value of one of two streams. */
export type Sided<L, R> = { readonly side: 'left'; readonly value: L } | { readonly side: 'right'; readonly value: R }

/** Both streams as one, in the order in which their values come. */
export function bothSides<L, R>(left: Observable<L>, right: Observable<R>): Observable<Sided<L, R>> {
  return merge(
    left.pipe(map((value): Sided<L, R> => ({ side: 'left', value }))),
    right.pipe(map((value): Sided<L, R> => ({ side: 'right', value }))),
  )
}
