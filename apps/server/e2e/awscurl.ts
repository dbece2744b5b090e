import { findPythonTools, type PythonTools } from '../../../tools/pypi.ts'

/** The release the playbook is driven with. */
const VERSION = '0.44'

/** The real awscurl. */
export function findAwscurl(): PythonTools {
  return findPythonTools(`awscurl-${VERSION}`, [`awscurl==${VERSION}`])
}
