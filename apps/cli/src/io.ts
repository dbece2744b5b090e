/** What the program is given by the system it runs on. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  out(text: string): void
  err(text: string): void
  /** Whether standard error is a terminal, where a line can be written over. */
  readonly interactive: boolean
  /** Asks whoever sits there for something that is not shown; absent where nobody does. */
  readonly askSecret?: (question: string) => Promise<string>
  /** All of standard input. */
  readStdin(): Promise<string>
  wait(milliseconds: number): Promise<void>
  /** Milliseconds since 1970. */
  now(): number
}
