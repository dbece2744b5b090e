import { type OpenBao, type OpenBaoNode, type OpenBaoOptions, startNode, until } from './openbao-server.ts'

/** Three nodes that replicate to each other. */
export interface OpenBaoCluster {
  readonly nodes: readonly OpenBao[]
  /** The node that is active now; waits until there is one. */
  leader(): Promise<OpenBao>
}

const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const

/**
 * Starts a cluster: each node has an address of loopback of its own and all have the same port, as the nodes behind one
 * name of a service have. They end with the test.
 */
export async function startCluster(options: Omit<OpenBaoOptions, 'host' | 'node'>): Promise<OpenBaoCluster> {
  const first = await startNode({ ...options, host: HOSTS[0], node: HOSTS[0] })
  const keys = await first.initialise()
  // A node votes once it was stable for this long: by default 10 s.
  await first.api('POST', 'sys/storage/raft/autopilot/configuration', { server_stabilization_time: '1s' })
  const shared = { ...options, port: first.port, authority: first.authority }
  const others: OpenBaoNode[] = []
  for (const host of HOSTS.slice(1)) {
    const node = await startNode({ ...shared, host, node: host })
    await node.join(first, keys)
    others.push(node)
  }
  const nodes = [first, ...others].map((node) => node.withKeys(keys))
  await until('every node is a voter', async () => {
    const { body } = await (nodes[0] as OpenBao).api('GET', 'sys/storage/raft/configuration')
    const servers: readonly { readonly voter: boolean }[] = body.data?.config?.servers ?? []
    return servers.length === nodes.length && servers.every(({ voter }) => voter)
  })
  return {
    nodes,
    async leader() {
      let found: OpenBao | undefined
      await until('there is a leader', async () => {
        for (const node of nodes) {
          const reply = await node.api('GET', 'sys/health').catch(() => undefined)
          if (reply?.status === 200) found = node
        }
        return found !== undefined
      })
      return found as OpenBao
    },
  }
}
