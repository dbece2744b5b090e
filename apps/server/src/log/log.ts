import pino from 'pino'
import type { LogLevel } from '../setting-table.ts'
import { type EventFields, type EventName, type EventSpec, eventCatalogue } from './event-catalogue.ts'
import { prettyLine } from './pretty-line.ts'
import { redact, redactText } from './redact.ts'

/** What a line has besides the fields of its event. */
export interface LineDetails {
  /** Instead of the message of the catalogue; public. */
  readonly message?: string
  /** The end of the target of backends: `local`. */
  readonly backend?: string
}

/** Writes lines; each is on its way to the system when the call returns. */
export interface Log {
  /** Whether the level of this event is logged: for lines that cost something to make. */
  tells(event: EventName): boolean
  event<N extends EventName>(event: N, fields?: EventFields<NoInfer<N>>, details?: LineDetails): void
}

export interface LogOptions {
  readonly level: LogLevel
  readonly format: 'json' | 'pretty'
}

/** Where lines go; standard error unless told otherwise. */
export interface LineSink {
  write(line: string): unknown
}

export function createLog({ level, format }: LogOptions, sink: LineSink = standardError()): Log {
  const destination = format === 'pretty' ? { write: (line: string) => sink.write(prettyLine(line)) } : sink
  const root = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
    },
    destination,
  )
  const targets = new Map<string, pino.Logger>()

  function linesOf(part: string): pino.Logger {
    let lines = targets.get(part)
    if (lines === undefined) {
      lines = root.child({ target: `rustfs::kms::${part}` })
      targets.set(part, lines)
    }
    return lines
  }

  return {
    tells: (event) => root.isLevelEnabled(eventCatalogue[event].level),
    event(event, fields = {}, { message, backend } = {}) {
      const spec: EventSpec = eventCatalogue[event]
      if (!root.isLevelEnabled(spec.level)) return
      const lines = linesOf(backend === undefined ? spec.part : `${spec.part}::${backend}`)
      lines[spec.level]({ event, ...redact(fields) }, redactText(message ?? spec.message))
    },
  }
}

function standardError(): LineSink {
  const destination = pino.destination({ dest: 2, sync: true })
  // A reader of the log that goes away must not take the server with it.
  destination.on('error', () => {})
  return destination
}
