import { batchFlush } from 'millrace'
import { of } from 'rxjs'

of('a', 'b', 'c', 'd', 'e')
  .pipe(batchFlush({ maxCount: 3 }))
  .subscribe((batch) => console.log([...batch]))

// [ 'a', 'b', 'c' ]
// [ 'd', 'e' ]
