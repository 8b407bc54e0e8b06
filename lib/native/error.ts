// The one error class of the library, and the list of its codes. Everything that fails, fails with one of these.

/** Every code, with what it means. Codes are stable: scripts may branch on them. */
export const ERROR_CODES = {
  ERR_INVALID_ARGUMENT: 'an argument has the wrong type or lies outside its range',
  ERR_UNKNOWN_OPTION: 'an option key does not exist; the message names the nearest one that does',
  ERR_SHAPE_MISMATCH: 'tensors whose shapes or dtypes do not fit each other met in one call',
  ERR_DEVICE_MISMATCH: 'tensors of two devices met in one call',
  ERR_DISPOSED: 'a tensor, device or model was used after it was disposed',
  ERR_OUT_OF_MEMORY: 'native memory ran out or a limit was reached; everything else stays usable',
  ERR_CAPACITY: 'a ragged pattern needed more room than its capacity',
  ERR_DEVICE_MISSING: 'the device asked for is not here; the message lists what was tried',
  ERR_DEVICE_LOST: 'a device reported a fault that it does not recover from',
  ERR_ABI: 'a native library of another version was found',
  ERR_NATIVE_LOAD: 'the native addon could not be loaded',
  ERR_INTERNAL: 'a native operation failed in a way that is a defect of transweld',
  ERR_FILE: 'a file or folder could not be read or written',
  ERR_FORMAT: 'a file is damaged or is not of the format that it should be',
  ERR_UNSUPPORTED: 'a model, a field or a format that this version does not support',
  ERR_NOT_FINITE: 'NaN or infinity where a number is needed',
  ERR_TOKEN_RANGE: 'a token id lies outside the vocabulary, or a prompt outside the context',
  ERR_EMPTY_TEXT: 'the text holds no token to work on',
  ERR_OUTPUT_EXISTS: 'the output folder is not empty and --resume was not given',
  ERR_RESUME: 'a checkpoint does not fit the settings, the text or the class of bits of this run',
  ERR_ABORTED: 'the work was stopped by its AbortSignal',
} as const

/** One of the stable codes of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES

/**
 * What every failure of the library is. `code` is stable; `message` says what was expected, for what, and what came,
 * and ends with the likely fix where there is one.
 *
 * @example
 * import { TransweldError } from 'transweld'
 * try { throw new TransweldError('ERR_FILE', 'no such file: model.safetensors') }
 * catch (error) { if (error instanceof TransweldError) console.log(error.code) }
 */
export class TransweldError extends Error {
  override readonly name = 'TransweldError'
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
