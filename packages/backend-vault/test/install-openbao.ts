import { findOpenBao } from '../../../tools/openbao/find-openbao.ts'

/** Once, before the files that need it run side by side. What is missing is theirs to report. */
export default function installOpenBao(): void {
  findOpenBao()
}
