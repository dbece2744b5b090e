import { type CatalogueEntry, type ErrorCode, errorCatalogue } from './catalogue.ts'

type Placeholders<T extends string> = T extends `${string}{${infer P}}${infer Rest}` ? P | Placeholders<Rest> : never

/** The parameters the template of a code asks for; all of them are public. */
export type ErrorParams<C extends ErrorCode> = {
  readonly [P in Placeholders<(typeof errorCatalogue)[C]['template']>]: string | number
}

type ParamsArgument<C extends ErrorCode> = [Placeholders<(typeof errorCatalogue)[C]['template']>] extends [never]
  ? [params?: undefined, options?: KmsErrorOptions]
  : [params: ErrorParams<C>, options?: KmsErrorOptions]

export interface KmsErrorOptions {
  /** What went wrong underneath: for logs, never serialised. */
  readonly cause?: unknown
  /** Value of `Retry-After`, in seconds. */
  readonly retryAfterSeconds?: number
}

/**
 * The only error that crosses a package boundary on purpose. `message` is public; `cause` is private.
 * Recognise one with {@link isKmsError} (by its code), never with `instanceof`: two copies of this package may be loaded.
 */
export class KmsError extends Error {
  override readonly name = 'KmsError'
  readonly code: ErrorCode
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, message: string, options: KmsErrorOptions = {}) {
    super(message)
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
    // Not enumerable, so that neither JSON.stringify nor a spread can carry it out.
    if (options.cause !== undefined) {
      Object.defineProperty(this, 'cause', { value: options.cause, enumerable: false, configurable: true })
    }
  }

  /** HTTP status on the admin plane. */
  get status(): number {
    return errorCatalogue[this.code].status
  }

  toJSON(): { code: ErrorCode; message: string } {
    return { code: this.code, message: this.message }
  }
}

/** Makes a {@link KmsError} from the catalogue; the parameters its template names are required by type. */
export function kmsError<C extends ErrorCode>(code: C, ...[params, options]: ParamsArgument<C>): KmsError {
  const { template }: CatalogueEntry = errorCatalogue[code]
  const values = new Map<string, string | number>(Object.entries(params ?? {}))
  const message = template.replace(/\{(\w+)\}/g, (_, name: string) => String(values.get(name)))
  return new KmsError(code, message, options)
}

/** Whether `error` is one of ours, optionally with one of the given codes. */
export function isKmsError(error: unknown, ...codes: readonly ErrorCode[]): error is KmsError {
  if (typeof error !== 'object' || error === null) return false
  const { name, code } = error as { name?: unknown; code?: unknown }
  if (name !== 'KmsError' || typeof code !== 'string' || !Object.hasOwn(errorCatalogue, code)) return false
  return codes.length === 0 || codes.includes(code as ErrorCode)
}
