/** Lets a test make the verbs of a fake fail or hang. Nothing in the product uses it. */
export interface Faults<Verb extends string> {
  /** Every later call of `verb` rejects with `error`, until `recover`. The call has no effect. */
  fail(verb: Verb, error: Error): void
  /** Every later call of `verb` stays pending until `recover`, and only then takes place. */
  hang(verb: Verb): void
  /** Ends the fault of `verb`, or of every verb; calls that hang go on. */
  recover(verb?: Verb): void
  /** How often `verb` was called, failed and hanging calls included. */
  calls(verb: Verb): number
}

/** {@link Faults} with the gate that the fake's verbs pass through. */
export interface FaultGate<Verb extends string> extends Faults<Verb> {
  pass(verb: Verb): Promise<void>
}

type Fault = { readonly error: Error } | { readonly until: Promise<void>; readonly release: () => void }

export function createFaults<Verb extends string>(): FaultGate<Verb> {
  const faults = new Map<Verb, Fault>()
  const counts = new Map<Verb, number>()

  function end(verb: Verb): void {
    const fault = faults.get(verb)
    faults.delete(verb)
    if (fault !== undefined && 'release' in fault) fault.release()
  }

  return {
    fail(verb, error) {
      end(verb)
      faults.set(verb, { error })
    },
    hang(verb) {
      end(verb)
      let release = (): void => {}
      const until = new Promise<void>((resolve) => {
        release = resolve
      })
      faults.set(verb, { until, release })
    },
    recover(verb) {
      for (const each of verb === undefined ? [...faults.keys()] : [verb]) end(each)
    },
    calls: (verb) => counts.get(verb) ?? 0,
    async pass(verb) {
      counts.set(verb, (counts.get(verb) ?? 0) + 1)
      const fault = faults.get(verb)
      if (fault === undefined) return
      if ('error' in fault) throw fault.error
      await fault.until
    },
  }
}
