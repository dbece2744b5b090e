import { parsePolicy } from './policy/parse-policy.ts'
import type { Policy } from './policy/policy.ts'

/**
 * The policies every server has, by name. `readwrite`, `readonly`, `writeonly`, `diagnostics` and `consoleAdmin` are
 * MinIO's and RustFS's, with one difference: `diagnostics` lacks `admin:ServerInfo`, which here stands in for
 * `kms:Configure`. They give no KMS rights but `consoleAdmin`'s; combine them with a KMS role.
 *
 * The KMS roles keep duties apart. An administrator governs keys without using them, and does not import key material
 * either: whoever chose the material can decrypt without us. A user uses keys, an auditor sees them. None touches the
 * service (`kms:Configure`, `kms:ServiceControl`, `kms:ClearCache`) or all key material at once (`kms:Backup`,
 * `kms:Restore`).
 */
export const cannedPolicies: ReadonlyMap<string, Policy> = new Map([
  ['readwrite', allow(['s3:*'], 'arn:aws:s3:::*')],
  ['readonly', allow(['s3:GetBucketLocation', 's3:GetObject'], 'arn:aws:s3:::*')],
  ['writeonly', allow(['s3:PutObject'], 'arn:aws:s3:::*')],
  [
    'diagnostics',
    allow(
      [
        'admin:Profiling',
        'admin:ServerTrace',
        'admin:ConsoleLog',
        'admin:TopLocksInfo',
        'admin:OBDInfo',
        'admin:BandwidthMonitor',
        'admin:Prometheus',
      ],
      '*',
    ),
  ],
  ['consoleAdmin', allow(['admin:*', 'kms:*', 's3:*'], '*')],
  [
    'KMSKeyAdministrator',
    allow(
      [
        'kms:CreateKey',
        'kms:DescribeKey',
        'kms:ListKeys',
        'kms:EnableKey',
        'kms:DisableKey',
        'kms:RotateKey',
        'kms:DeleteKey',
        'kms:UpdateKeyDescription',
        'kms:TagResource',
        'kms:UntagResource',
        'kms:CreateAlias',
        'kms:DeleteAlias',
      ],
      '*',
    ),
  ],
  ['KMSKeyUser', allow(['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey', 'kms:DescribeKey'], '*')],
  ['KMSAuditor', allow(['kms:ListKeys', 'kms:DescribeKey'], '*')],
])

function allow(actions: readonly string[], resource: string): Policy {
  return parsePolicy({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: actions, Resource: [resource] }],
  })
}
