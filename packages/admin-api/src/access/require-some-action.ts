import { denied, type Gate, type Permission } from './gate.ts'

/** Throws `AccessDenied` when the caller may do none of the actions on any key at all. */
export function requireSomeAction(actions: Permission, gateFor: (permission: Permission) => Gate): void {
  const may = actions.some((action) => {
    try {
      gateFor([action]).requireSomeKey()
      return true
    } catch {
      return false
    }
  })
  if (!may) throw denied(actions)
}
