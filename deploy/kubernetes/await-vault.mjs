// Waits until Vault is initialised, unsealed and answers; at once where VAULT_HEALTH_URL names none.
const url = process.env.VAULT_HEALTH_URL
const deadline = Date.now() + Number(process.env.WAIT_SECONDS ?? 600) * 1000
let ready = !url
while (!ready) {
  const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(5000) }).catch((error) => error)
  ready = answer.status === 200
  if (ready) continue
  const said = answer.status ?? answer.cause?.code ?? answer.name
  if (Date.now() > deadline) throw new Error(`Vault did not become ready: ${said}`)
  console.error(`Vault is not ready yet (${said}).`)
  await new Promise((resolve) => setTimeout(resolve, Number(process.env.POLL_MS ?? 3000)))
}
