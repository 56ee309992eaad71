import { setTimeout } from 'node:timers/promises'
import { mapAsync } from 'millrace'
import { of } from 'rxjs'

of({ id: 'a', takesMs: 30 }, { id: 'b', takesMs: 10 }, { id: 'c', takesMs: 1 })
  .pipe(
    mapAsync(
      async ({ id, takesMs }) => {
        await setTimeout(takesMs)
        return id.toUpperCase()
      },
      { concurrency: 2 },
    ),
  )
  .subscribe((result) => console.log(result))

// A
// B
// C
