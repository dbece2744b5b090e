import { Buffer } from 'node:buffer'
import type { ImportStore, ImportTicket } from '../imports/import-store.ts'

/** An {@link ImportStore} in memory, without bounds. */
export function createMemoryImportStore(): ImportStore {
  const tickets = new Map<string, ImportTicket>()
  const used = new Set<string>()
  return {
    async save(ticket) {
      tickets.set(ticket.id, { ...ticket, privateKey: Buffer.from(ticket.privateKey) })
    },
    async load(id) {
      if (used.has(id)) return 'used'
      const ticket = tickets.get(id)
      return ticket && { ...ticket, privateKey: Buffer.from(ticket.privateKey) }
    },
    async claim({ id }) {
      if (used.has(id)) return false
      used.add(id)
      return true
    },
    async release(id) {
      used.delete(id)
    },
    async finish(id) {
      tickets.delete(id)
    },
    async sweep(now) {
      for (const [id, { expiresAt }] of tickets) if (expiresAt <= now) tickets.delete(id)
    },
  }
}
