import { createAuthorizer, createRootCredentials, type Principal, parsePolicy } from '@kms/iam'

const payments: Principal = {
  kind: 'user',
  name: 'payments',
  accessKeyId: 'payments',
  policies: [
    parsePolicy({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: 'kms:*', Resource: 'arn:aws:kms:::key/${aws:username}-*' },
        { Effect: 'Deny', Action: 'kms:*', Resource: '*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
      ],
    }),
  ],
}

const authorizer = createAuthorizer()

function decide(resource: string, secure: boolean): string {
  const context = new Map([['aws:SecureTransport', [String(secure)]]])
  return authorizer.authorize(payments, { action: 'kms:Decrypt', resource, context }).reason
}

console.log('own key:', decide('arn:aws:kms:::key/payments-2026', true))
console.log('own key, plain http:', decide('arn:aws:kms:::key/payments-2026', false))
console.log('another key:', decide('arn:aws:kms:::key/payroll', true))
console.log('some key:', authorizer.mayOnSomeResource(payments, 'kms:Decrypt'))

const credentials = createRootCredentials({ accessKeyId: 'operator', secretAccessKey: 'correct horse' })
const root = await credentials.find('operator')
if (root !== undefined) {
  console.log('root:', authorizer.authorize(root.principal, { action: 'kms:Configure' }).reason)
  console.log('secret in JSON:', JSON.stringify(root).includes('horse'))
}
