export { type AuditFiles, type AuditFilesOptions, type AuditStatistics, createAuditFiles } from './audit-files.ts'
export { type AuditKey, createAuditKey, type SignedPlace } from './audit-key.ts'
export type { AuditCheckpoint } from './audit-segment.ts'
export { type AuditProblem, type AuditReport, type VerifyAuditOptions, verifyAudit } from './verify-audit.ts'
