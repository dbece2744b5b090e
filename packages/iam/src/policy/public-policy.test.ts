import { describe, expect, it } from 'vitest'
import { parsePolicy } from './parse-policy.ts'
import { isPublicPolicy } from './public-policy.ts'

const allow = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' }
const isPublic = (...Statement: readonly object[]) =>
  isPublicPolicy(parsePolicy({ Version: '2012-10-17', Statement }, { kind: 'resource' }))

describe('a policy is public by its principals', () => {
  it.each<[string, object, boolean]>([
    ['everybody', { Principal: '*' }, true],
    ['everybody, as AWS', { Principal: { AWS: '*' } }, true],
    ['everybody among others', { Principal: { AWS: ['ann', '*'] } }, true],
    ['one user', { Principal: { AWS: 'ann' } }, false],
    ['some users', { Principal: { AWS: ['ann', 'arn:aws:iam::123456789012:root'] } }, false],
    ['everybody but one', { NotPrincipal: { AWS: 'ann' } }, true],
    ['nobody', { NotPrincipal: '*' }, true],
  ])('%s', (_name, principal, expected) => {
    expect(isPublic({ ...allow, ...principal })).toBe(expected)
    expect(isPublicPolicy(parsePolicy({ Statement: { ...allow, ...principal } }, { kind: 'resource' }))).toBe(expected)
  })
})

describe('a policy for everybody is public under the condition', () => {
  it.each<[object, boolean]>([
    [{}, true],
    [{ IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }, false],
    [{ IpAddress: { 'AWS:sourceip': '203.0.113.7' } }, false],
    [{ IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] } }, false],
    [{ IpAddress: { 'aws:SourceIp': '10.0.0.0/7' } }, true],
    [{ IpAddress: { 'aws:SourceIp': '0.0.0.0/1' } }, true],
    [{ IpAddress: { 'aws:SourceIp': '2000::/31' } }, true],
    [{ IpAddress: { 'aws:SourceIp': '::ffff:10.0.0.0/104' } }, false],
    [{ IpAddress: { 'aws:SourceIp': '::ffff:10.0.0.0/103' } }, true],
    [{ IpAddress: { 'aws:SourceIp': ['203.0.113.0/24', '0.0.0.0/0'] } }, true],
    [{ 'ForAnyValue:IpAddress': { 'aws:SourceIp': '203.0.113.0/24' } }, false],
    [{ 'ForAllValues:IpAddress': { 'aws:SourceIp': '203.0.113.0/24' } }, true],
    [{ IpAddressIfExists: { 'aws:SourceIp': '203.0.113.0/24' } }, true],
    [{ NotIpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }, true],
    [{ StringEquals: { 'aws:SourceIp': '203.0.113.7' } }, true],
    [{ StringEquals: { 'aws:SourceVpc': 'vpc-91237329' } }, false],
    [{ StringLike: { 'aws:SourceVpc': 'vpc-91237329' } }, false],
    [{ StringLike: { 'aws:SourceVpc': 'vpc-*' } }, true],
    [{ StringEquals: { 'aws:SourceVpce': ['vpce-1', 'vpce-2'] } }, false],
    [{ StringLike: { 'aws:SourceVpce': ['vpce-1', 'vpce-?'] } }, true],
    [{ StringEquals: { 'aws:SourceAccount': '123456789012' } }, false],
    [{ StringEquals: { 'aws:SourceAccount': '${aws:PrincipalAccount}' } }, true],
    [{ StringEqualsIgnoreCase: { 'aws:SourceOwner': 'someone' } }, false],
    [{ StringNotEquals: { 'aws:SourceOwner': 'someone' } }, true],
    [{ StringEqualsIfExists: { 'aws:SourceOwner': 'someone' } }, true],
    [{ 'ForAllValues:StringEquals': { 'aws:SourceOwner': 'someone' } }, true],
    [{ ArnEquals: { 'aws:SourceArn': 'arn:aws:s3:::logs' } }, false],
    [{ ArnLike: { 'aws:SourceArn': 'arn:aws:s3:::*' } }, true],
    [{ ArnEquals: { 'aws:PrincipalArn': 'arn:aws:iam:::user/ann' } }, false],
    [{ StringEquals: { 'aws:PrincipalOrgID': 'o-1' } }, false],
    [{ StringLike: { 'aws:userid': 'AROAEXAMPLEID:*' } }, true],
    [{ StringEquals: { 'aws:userid': 'ann' } }, false],
    [{ StringEquals: { 's3:DataAccessPointAccount': '123456789012' } }, false],
    [{ StringEquals: { 's3:x-amz-server-side-encryption-aws-kms-key-id': 'key' } }, true],
    [{ StringEquals: { 's3:prefix': 'public/' } }, true],
    [{ Bool: { 'aws:SecureTransport': 'true' } }, true],
    [{ Null: { 'aws:SourceVpc': 'false' } }, true],
    [{ Bool: { 'aws:SecureTransport': 'true' }, StringEquals: { 'aws:SourceVpc': 'vpc-1' } }, false],
    [{ StringEquals: { 's3:prefix': 'public/', 'aws:SourceVpc': 'vpc-1' } }, false],
  ])('%j: %j', (Condition, expected) => {
    expect(isPublic({ ...allow, Principal: '*', Condition })).toBe(expected)
  })
})

describe('a policy of several statements is public', () => {
  const open = { ...allow, Principal: '*' }
  const closed = { ...allow, Principal: '*', Condition: { StringEquals: { 'aws:SourceVpc': 'vpc-1' } } }
  const named = { ...allow, Principal: { AWS: 'ann' } }
  const denied = { ...open, Effect: 'Deny' }

  it.each<[string, readonly object[], boolean]>([
    ['when one of its Allows is', [closed, named, open], true],
    ['not when none is', [named, closed], false],
    ['not by a Deny', [denied, closed], false],
    ['in spite of a Deny', [open, denied], true],
    ['not by Denies alone', [denied], false],
  ])('%s', (_name, statements, expected) => {
    expect(isPublic(...statements)).toBe(expected)
  })
})
