import { element, type Xml } from '../reply/xml-writer.ts'
import { childOf, childrenOf, textOf, type XmlElement } from '../request/xml-reader.ts'
import { s3Error } from '../s3-error.ts'

/** Everything belongs to the one account there is. S3's canonical ids are 64 hex digits. */
const OWNER_ID = '0'.repeat(64)

/** `Owner`, `Initiator` and the like. */
export function ownerElement(name: 'Owner' | 'Initiator'): Xml {
  return element(name, [element('ID', OWNER_ID), element('DisplayName', 'owner')])
}

/** The owner may do everything, and nobody else is named: what `?acl` says of every bucket and object. */
export function accessControlPolicy(): Xml {
  const xsi = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
  return [
    ownerElement('Owner'),
    element('AccessControlList', [
      element('Grant', [
        element('Grantee', [element('ID', OWNER_ID), element('DisplayName', 'owner')], xsi),
        element('Permission', 'FULL_CONTROL'),
      ]),
    ]),
  ]
}

/**
 * Whether an `AccessControlPolicy` says what is so anyway: the owner has full control, and nobody else has anything. Throws
 * `MalformedXML`.
 */
export function grantsOnlyTheOwner(policy: XmlElement): boolean {
  const list = childOf(policy, 'AccessControlList')
  const grants = list === undefined ? [] : childrenOf(list, 'Grant')
  return (
    grants.length > 0 &&
    grants.every((grant) => {
      const grantee = childOf(grant, 'Grantee')
      return (
        grantee !== undefined && textOf(grantee, 'ID') === OWNER_ID && textOf(grant, 'Permission') === 'FULL_CONTROL'
      )
    })
  )
}

const ACCEPTED: ReadonlySet<string> = new Set(['private', 'bucket-owner-full-control'])

/**
 * Access control lists are off, as they are on every new bucket of S3: only those that change nothing are accepted (Amazon S3 User Guide,
 * "Controlling ownership of objects"). Throws `AccessControlListNotSupported`.
 */
export function refuseAccessControlLists(header: (name: string) => string | undefined): void {
  const acl = header('x-amz-acl')
  const grant = ['read', 'read-acp', 'write', 'write-acp', 'full-control'].find(
    (right) => header(`x-amz-grant-${right}`) !== undefined,
  )
  if ((acl !== undefined && !ACCEPTED.has(acl)) || grant !== undefined) throw s3Error('AccessControlListNotSupported')
}
