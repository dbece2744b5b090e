import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** What a process takes, as Linux counts it. */
export interface ProcessMeter {
  /** Most memory since {@link forgetPeak}, in MiB: `VmHWM`, shared pages and mapped files included. */
  peakMebibytes(): number
  forgetPeak(): void
  /** Files and sockets that are open. */
  descriptors(): number
}

export function createProcessMeter(pid: number): ProcessMeter {
  return {
    peakMebibytes() {
      const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
      return Number(kibibytes) / 1024
    },
    // proc(5): 5 resets the peak to what is resident now.
    forgetPeak: () => writeFileSync(`/proc/${pid}/clear_refs`, '5'),
    descriptors: () => readdirSync(`/proc/${pid}/fd`).length,
  }
}
