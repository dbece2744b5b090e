import { text } from 'node:stream/consumers'
import { askSecret } from './ask-secret.ts'
import { runKmsctl } from './kmsctl.ts'

// Not `process.exit`: what was written to a pipe has to arrive.
process.exitCode = await runKmsctl(process.argv.slice(2), {
  env: process.env,
  out: (line) => void process.stdout.write(line),
  err: (line) => void process.stderr.write(line),
  interactive: process.stderr.isTTY,
  ...(process.stdin.isTTY && process.stderr.isTTY ? { askSecret } : {}),
  readStdin: () => text(process.stdin),
  wait: (milliseconds) =>
    new Promise((resolve) => {
      setTimeout(resolve, milliseconds)
    }),
  now: () => Date.now(),
})
