import { randomBytes } from 'node:crypto'
import {
  createAuthorizer,
  createCredentialStore,
  createIamDirectory,
  createIamFile,
  createSessions,
  createSts,
  type IamDocument,
  isIamError,
} from '@kms/iam'

let saved: IamDocument | undefined
const store = {
  load: async () => saved,
  save: async (document: IamDocument) => {
    saved = document
  },
}

let text = '{"format":1,"users":[{"accessKey":"deploy","secretKey":"from the operator","policies":["KMSAuditor"]}]}'
const file = await createIamFile({
  read: async () => text,
  rootAccessKeyId: 'operator',
  onProblem: (error) => console.log('the file is not taken over:', error.message),
})
const directory = await createIamDirectory({ store, file, rootAccessKeyId: 'operator' })
const sessions = createSessions({ key: randomBytes(32) })
const credentials = createCredentialStore({
  root: { accessKeyId: 'operator', secretAccessKey: 'correct horse' },
  directory,
  file,
  sessions,
})
const authorizer = createAuthorizer()
const sts = createSts({ accounts: credentials, sessions, authorizer })

await directory.addUser({ accessKeyId: 'ann', secretAccessKey: 'battery staple', policies: ['KMSKeyUser'] })
console.log(
  'users:',
  directory
    .listUsers()
    .map((user) => `${user.accessKeyId} (${user.source})`)
    .join(', '),
)

const ann = await credentials.find('ann')
if (ann !== undefined) {
  const session = await sts.assumeRole({
    caller: ann.principal,
    durationSeconds: 900,
    policy: { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: ['kms:Decrypt', 's3:*'], Resource: '*' } },
  })
  const temporary = await credentials.find(session.accessKeyId, session.sessionToken)
  for (const action of ['kms:Decrypt', 'kms:Encrypt', 's3:GetObject']) {
    const resource = 'arn:aws:kms:::key/payments'
    console.log(`${action}:`, temporary && authorizer.authorize(temporary.principal, { action, resource }).allowed)
  }
  await directory.setUserStatus('ann', 'disabled')
  try {
    await credentials.find(session.accessKeyId, session.sessionToken)
  } catch (error) {
    console.log('ann disabled:', isIamError(error) && error.code)
  }
}

text = '{"format":1,"users":[{"accessKey":"deploy"}]}'
const reload = await file.reload()
console.log(`${reload}:`, (await credentials.find('deploy'))?.principal.name)
