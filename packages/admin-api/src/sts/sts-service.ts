import { type Principal, principalArn, type SessionCredentials, type Sts } from '@kms/iam'
import type { AuthenticatedRequest } from '../access/authenticate.ts'
import { formatResponse, type XmlContent } from './sts-reply.ts'
import { readStsRequest, type StsRequest } from './sts-request.ts'

/** What an action came to. */
export interface StsAnswer {
  readonly action: StsRequest['action']
  readonly xml: string
}

/** Runs the action of a verified request. Throws the errors of `readStsRequest` and of `Sts`. */
export async function answerSts(
  sts: Sts,
  { principal, context, body }: Pick<AuthenticatedRequest, 'principal' | 'context' | 'body'>,
  requestId: string,
): Promise<StsAnswer> {
  const request = readStsRequest(body)
  const result = await resultOf(sts, request, principal, context)
  return { action: request.action, xml: formatResponse(request.action, result, requestId) }
}

async function resultOf(
  sts: Sts,
  request: StsRequest,
  caller: Principal,
  context: AuthenticatedRequest['context'],
): Promise<XmlContent> {
  if (request.action === 'GetCallerIdentity') {
    return [
      ['Arn', principalArn(caller) ?? ''],
      ['UserId', caller.name],
      // There are no accounts: the field of ARNs is empty as well.
      ['Account', ''],
    ]
  }
  const { durationSeconds } = request
  const shared = { caller, context, ...(durationSeconds === undefined ? {} : { durationSeconds }) }
  if (request.action === 'GetSessionToken') return [describeSession(await sts.getSessionToken(shared))]
  const { roleArn, policy, roleSessionName } = request
  const session = await sts.assumeRole({
    ...shared,
    ...(roleArn === undefined ? {} : { roleArn }),
    ...(policy === undefined ? {} : { policy }),
  })
  return [
    describeSession(session),
    [
      'AssumedRoleUser',
      [
        ['Arn', principalArn(caller) ?? ''],
        ['AssumedRoleId', `${caller.name}:${roleSessionName ?? ''}`],
      ],
    ],
  ]
}

function describeSession(session: SessionCredentials): readonly [string, XmlContent] {
  return [
    'Credentials',
    [
      ['AccessKeyId', session.accessKeyId],
      ['SecretAccessKey', session.secretAccessKey],
      ['SessionToken', session.sessionToken],
      ['Expiration', new Date(session.expiration).toISOString()],
    ],
  ]
}
