// Rows of a file straight into a tensor: read, checked and converted below, never in JavaScript's memory.
import { TransweldError } from '../native/error.ts'
import { fault } from '../native/fault.ts'
import { native } from '../native/load.ts'
import { DTYPE_CODE, type FloatDtype } from './dtype.ts'
import { describe, putView, type Tensor } from './tensor.ts'

/** What {@link loadRows} fills, and from where. */
export interface LoadRows {
  /** Out, f32, bf16, f16 or i8 [rows, columns]. */ out: Tensor
  /** Out, f32 [1, rows]: the scales of an i8 `out`, largest |x| / 127 of each row; needed with i8. */ scales?: Tensor | undefined
  /** The descriptor of a file that is open for reading. */ file: number
  /** Of the first byte. */ position: number
  /** What the file holds, little-endian. */ dtype: FloatDtype
  /** Whether the file has [columns, rows]. Default false. */ turned?: boolean | undefined
  /** What errors call it. */ name: string
}

const numbers = new Float64Array(16)

/**
 * Fills a tensor from a file, rounded to nearest even where `out` is narrower. Enqueued like an op; settles when it is done.
 * @throws TransweldError ERR_NOT_FINITE for NaN or infinity, ERR_FILE, ERR_FORMAT for a file that ends too early, ERR_SHAPE_MISMATCH,
 * ERR_DISPOSED. After a failure `out` is poisoned: reading it throws the same error.
 */
export async function loadRows({ out, scales, file, position, dtype, turned = false, name }: LoadRows): Promise<void> {
  let count = 0
  const put = (tensor: Tensor): void => {
    if (tensor.isDisposed) throw new TransweldError('ERR_DISPOSED', `expected a tensor for ${name} but received one that was disposed: ${describe(tensor)}`)
    count = putView(numbers, count, tensor)
    tensor.storage.version++
  }
  put(out)
  if (scales === undefined) numbers[count++] = -1
  else put(scales)
  for (const value of [file, position, DTYPE_CODE[dtype], turned ? 1 : 0]) numbers[count++] = value
  try {
    await native().load(out.device.id, numbers, count, name)
  } catch (error) { throw fault(error) }
}
