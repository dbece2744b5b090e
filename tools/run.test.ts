import { describe, expect, it } from 'vitest'
import { run, seconds } from './run.mjs'
import { scratchFolder } from './scratch.ts'

const node = (script: string, options?: Parameters<typeof run>[2]) => run(process.execPath, ['-e', script], options)

describe('run', () => {
  it('keeps both outputs and the exit code', async () => {
    const { code, output } = await node('console.log("out"); console.error("err"); process.exitCode = 3')
    expect(code).toBe(3)
    expect(output).toContain('out\n')
    expect(output).toContain('err\n')
  })

  it('passes the environment and the folder', async () => {
    const cwd = scratchFolder({})
    const { output } = await node('console.log(process.cwd(), process.env.A, process.env.TURBO_TELEMETRY_DISABLED)', {
      cwd,
      env: { A: 'b' },
    })
    expect(output).toMatch(/kms-tools-\S+ b 1\n$/)
  })

  it('gives no input to wait for', async () => {
    expect(await node('process.stdin.on("end", () => console.log("end")).resume()')).toEqual({
      code: 0,
      output: 'end\n',
    })
  })

  it('fails when there is no such command, or it died by a signal', async () => {
    expect(await run('kms-no-such-command', [])).toMatchObject({ code: 1, output: expect.stringContaining('ENOENT') })
    expect(await node('process.kill(process.pid, "SIGKILL")')).toMatchObject({ code: 1 })
  })

  // The grandchild holds the same pipe: were it left alive, run() would wait for it and this test would time out.
  it('ends a command that hangs, with what it started', async () => {
    const child = `spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'inherit' })`
    const { code, output } = await node(`require('node:child_process').${child}`, { timeoutMs: 1_000 })
    expect(code).toBe(1)
    expect(output).toContain('had not finished after 1 s')
  })
})

describe('seconds', () => {
  it('rounds to tenths', () => {
    expect(seconds(1_250)).toBe('1.3 s')
  })
})
