// What @kms/iam declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export type { Account, AccountSource, AccountStatus } from './account.ts';
export { type AuthorizationDecision, type AuthorizationRequest, type Authorizer, type AuthorizerOptions, createAuthorizer, } from './authorizer.ts';
export { cannedPolicies } from './canned-policies.ts';
export { type CredentialStoreOptions, createCredentialStore, type IamCredentialStore } from './credential-store.ts';
export { type CredentialStore, type Credentials, type CredentialsError, createRootCredentials, isDefaultCredentials, validateCredentials, } from './credentials.ts';
export { type AddUserRequest, createIamDirectory, type IamDirectory, type IamDirectoryOptions, type IamStore, type PolicyInfo, type UserInfo, } from './directory/iam-directory.ts';
export type { IamDocument, IamDocumentPolicy, IamDocumentUser } from './directory/iam-document.ts';
export { createIamFile, type IamFile, type IamFileOptions, type IamFileReload } from './file/iam-file.ts';
export { type FileUser, type IamFileContent, parseIamFile } from './file/iam-file-content.ts';
export { type IamError, type IamErrorCode, isIamError } from './iam-error.ts';
export { evaluate, type PolicyRequest, type Verdict } from './policy/evaluate.ts';
export { type AccessVerdict, evaluateAccess } from './policy/evaluate-access.ts';
export type { RequestContext } from './policy/facts.ts';
export { type ParsePolicyOptions, parsePolicy } from './policy/parse-policy.ts';
export type { Policy } from './policy/policy.ts';
export { isPolicyError, type PolicyError } from './policy/policy-error.ts';
export { isPublicPolicy } from './policy/public-policy.ts';
export { anonymousPrincipal, type Caller, type Principal, type PrincipalSession, principalArn } from './principal.ts';
export { createSessions, type SessionCredentials, type Sessions, type SessionsOptions } from './session/sessions.ts';
export { type AssumeRoleRequest, createSts, SESSION_SECONDS, type SessionRequest, type Sts, type StsOptions, } from './session/sts.ts';
export type { StoredCredential } from './stored-credential.ts';

// account.d.ts
import type { Policy } from './policy/policy.ts';
import { type StoredCredential } from './stored-credential.ts';
export type AccountStatus = 'enabled' | 'disabled';
export interface Account {
    readonly status: AccountStatus;
    readonly credential: StoredCredential;
    readonly changedAt: number;
}
export interface AccountSource {
    account(accessKeyId: string): Account | undefined;
}
export interface UserAccountOptions {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly status: AccountStatus;
    readonly policies: readonly Policy[];
    readonly changedAt: number;
}
export declare function createUserAccount(options: UserAccountOptions): Account;

// authorizer.d.ts
import type { RequestContext } from './policy/facts.ts';
import type { Policy } from './policy/policy.ts';
import type { Principal } from './principal.ts';
export interface AuthorizationRequest {
    readonly action: string | readonly [string, ...string[]];
    readonly resource?: string;
    readonly context?: RequestContext;
    readonly resourcePolicy?: Policy;
}
export type AuthorizationDecision = {
    readonly allowed: true;
    readonly reason: 'root' | 'policy' | 'resource-policy' | 'server-info';
} | {
    readonly allowed: false;
    readonly reason: 'explicit-deny' | 'not-allowed';
};
export interface Authorizer {
    authorize(principal: Principal, request: AuthorizationRequest): AuthorizationDecision;
    mayOnSomeResource(principal: Principal, action: string, context?: RequestContext): boolean;
}
export interface AuthorizerOptions {
    readonly compatServerInfo?: boolean;
    readonly now?: () => number;
}
export declare function createAuthorizer(options?: AuthorizerOptions): Authorizer;

// canned-policies.d.ts
import type { Policy } from './policy/policy.ts';
export declare const cannedPolicies: ReadonlyMap<string, Policy>;

// credential-store.d.ts
import type { Account, AccountSource } from './account.ts';
import { type CredentialStore, type Credentials } from './credentials.ts';
import type { IamDirectory } from './directory/iam-directory.ts';
import type { IamFile } from './file/iam-file.ts';
import type { Sessions } from './session/sessions.ts';
export interface IamCredentialStore extends CredentialStore, AccountSource {
    account(accessKeyId: string): Account | undefined;
}
export interface CredentialStoreOptions {
    readonly root: Credentials;
    readonly directory: IamDirectory;
    readonly file?: IamFile;
    readonly sessions: Sessions;
}
export declare function createCredentialStore(options: CredentialStoreOptions): IamCredentialStore;

// credentials.d.ts
import { type StoredCredential } from './stored-credential.ts';
export interface Credentials {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
}
export interface CredentialStore {
    find(accessKeyId: string, sessionToken?: string): StoredCredential | undefined | Promise<StoredCredential | undefined>;
}
export interface CredentialsError extends Error {
    readonly code: 'InvalidCredentials';
    readonly field: keyof Credentials;
}
export declare function isDefaultCredentials(credentials: Credentials): boolean;
export declare function validateCredentials(credentials: Credentials): void;
export declare function validateUserCredentials(credentials: Credentials): void;
export declare function createRootCredentials(credentials: Credentials): CredentialStore;
export declare function createRootCredential(credentials: Credentials): StoredCredential;

// directory/iam-directory.d.ts
import { type AccountSource, type AccountStatus } from '../account.ts';
import type { IamFile } from '../file/iam-file.ts';
import type { Policy } from '../policy/policy.ts';
import { type IamDocument } from './iam-document.ts';
export interface IamStore {
    load(): Promise<IamDocument | undefined>;
    save(document: IamDocument): Promise<void>;
}
export interface UserInfo {
    readonly accessKeyId: string;
    readonly status: AccountStatus;
    readonly policies: readonly string[];
    readonly source: 'api' | 'file';
    readonly inlinePolicy?: string;
    readonly createdAt?: number;
    readonly changedAt?: number;
}
export interface PolicyInfo {
    readonly name: string;
    readonly policy: Policy;
    readonly source: 'canned' | 'file' | 'api';
    readonly createdAt?: number;
    readonly changedAt?: number;
}
export interface AddUserRequest {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly status?: AccountStatus;
    readonly policies?: readonly string[];
}
export interface IamDirectory extends AccountSource {
    addUser(request: AddUserRequest): Promise<UserInfo>;
    removeUser(accessKeyId: string): Promise<void>;
    setUserStatus(accessKeyId: string, status: AccountStatus): Promise<UserInfo>;
    setUserPolicies(accessKeyId: string, names: readonly string[]): Promise<UserInfo>;
    listUsers(): readonly UserInfo[];
    userInfo(accessKeyId: string): UserInfo;
    addPolicy(name: string, document: unknown): Promise<PolicyInfo>;
    removePolicy(name: string): Promise<void>;
    listPolicies(): readonly PolicyInfo[];
    policyInfo(name: string): PolicyInfo;
}
export interface IamDirectoryOptions {
    readonly store: IamStore;
    readonly rootAccessKeyId: string;
    readonly file?: IamFile;
    readonly now?: () => number;
}
export declare function createIamDirectory(options: IamDirectoryOptions): Promise<IamDirectory>;

// directory/iam-document.d.ts
import type { AccountStatus } from '../account.ts';
import type { Policy } from '../policy/policy.ts';
export interface IamDocument {
    readonly format: 1;
    readonly users: readonly IamDocumentUser[];
    readonly policies: readonly IamDocumentPolicy[];
}
export interface IamDocumentUser {
    readonly accessKeyId: string;
    readonly secret: string;
    readonly status: AccountStatus;
    readonly policies: readonly string[];
    readonly createdAt: string;
    readonly changedAt: string;
}
export interface IamDocumentPolicy {
    readonly name: string;
    readonly document: string;
    readonly createdAt: string;
    readonly changedAt: string;
}
export interface UserRecord {
    readonly accessKeyId: string;
    readonly secret: string;
    readonly status: AccountStatus;
    readonly policies: readonly string[];
    readonly createdAt: number;
    readonly changedAt: number;
}
export interface PolicyRecord {
    readonly name: string;
    readonly policy: Policy;
    readonly createdAt: number;
    readonly changedAt: number;
}
export interface DirectoryState {
    readonly users: ReadonlyMap<string, UserRecord>;
    readonly policies: ReadonlyMap<string, PolicyRecord>;
}
export declare function decodeIamDocument(document: unknown): DirectoryState;
export declare function encodeIamDocument(state: DirectoryState): IamDocument;

// file/iam-file-content.d.ts
import type { AccountStatus } from '../account.ts';
import type { Policy } from '../policy/policy.ts';
export interface FileUser {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly status: AccountStatus;
    readonly policyNames: readonly string[];
    readonly inlinePolicy: Policy | undefined;
    readonly policies: readonly Policy[];
}
export interface IamFileContent {
    readonly users: ReadonlyMap<string, FileUser>;
    readonly policies: ReadonlyMap<string, Policy>;
}
export declare function parseIamFile(text: string, options: {
    readonly rootAccessKeyId: string;
}): IamFileContent;

// file/iam-file.d.ts
import { type AccountSource } from '../account.ts';
import { type IamError } from '../iam-error.ts';
import type { Policy } from '../policy/policy.ts';
import { type FileUser } from './iam-file-content.ts';
export interface IamFile extends AccountSource {
    readonly revision: number;
    readonly users: ReadonlyMap<string, FileUser>;
    readonly policies: ReadonlyMap<string, Policy>;
    reload(): Promise<IamFileReload>;
}
export type IamFileReload = 'unchanged' | 'reloaded' | 'kept';
export interface IamFileOptions {
    readonly read: () => Promise<string>;
    readonly rootAccessKeyId: string;
    readonly onProblem?: (error: IamError) => void;
    readonly now?: () => number;
}
export declare function createIamFile(options: IamFileOptions): Promise<IamFile>;

// iam-error.d.ts
declare const CODES: readonly ['InvalidRequest', 'NoSuchUser', 'NoSuchPolicy', 'PolicyInUse', 'ManagedByFile', 'ReservedName', 'AccessDenied', 'InvalidTokenId', 'ExpiredToken', 'InvalidIamFile', 'InvalidIamDocument', 'UnsupportedFormat'];
export type IamErrorCode = (typeof CODES)[number];
export interface IamError extends Error {
    readonly code: IamErrorCode;
    readonly path?: string;
}
export declare function iamError(code: IamErrorCode, message: string, path?: string): IamError;
export declare function isIamError(error: unknown, code?: IamErrorCode): error is IamError;
export {};

// policy/condition-operators.d.ts
import type { Facts } from './facts.ts';
export type ConditionTest = (actual: string, facts: Facts) => boolean;
export interface ConditionOperator {
    readonly negated: boolean;
    compile(value: string, options: {
        readonly path: string;
        readonly variables: boolean;
    }): ConditionTest;
}
export declare const conditionOperators: ReadonlyMap<string, ConditionOperator>;

// policy/condition.d.ts
import { type ConditionTest } from './condition-operators.ts';
import type { Facts } from './facts.ts';
export type Condition = {
    readonly kind: 'null';
    readonly key: string;
    readonly wanted: ReadonlySet<boolean>;
} | {
    readonly kind: 'compare';
    readonly key: string;
    readonly set: 'all' | 'any' | undefined;
    readonly ifExists: boolean;
    readonly negated: boolean;
    readonly tests: readonly ConditionTest[];
};
export declare function parseCondition(operator: string, key: string, values: readonly string[], options: {
    readonly path: string;
    readonly variables: boolean;
}): Condition;
export declare function conditionHolds(condition: Condition, facts: Facts): boolean;

// policy/evaluate-access.d.ts
import { type PolicyRequest } from './evaluate.ts';
import type { Policy } from './policy.ts';
export type AccessVerdict = 'allow' | 'allow-by-resource' | 'deny' | 'none';
export declare function evaluateAccess(options: {
    readonly identity: readonly Policy[];
    readonly resource: Policy | undefined;
    readonly request: PolicyRequest;
}): AccessVerdict;

// policy/evaluate.d.ts
import { type Caller } from '../principal.ts';
import { type RequestContext } from './facts.ts';
import type { Policy } from './policy.ts';
export type Verdict = 'allow' | 'deny' | 'none';
export interface PolicyRequest {
    readonly action: string;
    readonly resource: string;
    readonly principal?: Caller;
    readonly context?: RequestContext;
    readonly time?: number;
}
export declare function evaluate(options: {
    readonly policies: readonly Policy[];
    readonly request: PolicyRequest;
}): Verdict;
export declare function evaluatePrefix(options: {
    readonly policies: readonly Policy[];
    readonly request: Omit<PolicyRequest, 'resource'> & {
        readonly prefix: string;
    };
}): Verdict;

// policy/facts.d.ts
import { type Caller } from '../principal.ts';
export type RequestContext = ReadonlyMap<string, readonly string[]>;
export type Facts = (key: string) => readonly string[] | undefined;
export declare function createFacts(context: RequestContext | undefined, caller: Caller | undefined, time: number | undefined): Facts;

// policy/parse-policy.d.ts
import type { Policy } from './policy.ts';
export interface ParsePolicyOptions {
    readonly kind?: 'identity' | 'resource';
}
export declare function parsePolicy(json: unknown, options?: ParsePolicyOptions): Policy;

// policy/policy-error.d.ts
export interface PolicyError extends Error {
    readonly code: 'MalformedPolicyDocument';
    readonly path: string;
}
export declare function policyError(path: string, problem: string): PolicyError;
export declare function isPolicyError(error: unknown): error is PolicyError;

// policy/policy.d.ts
import type { Condition } from './condition.ts';
import type { Template } from './template.ts';
export interface ActionElement {
    readonly not: boolean;
    readonly globs: readonly string[];
}
export interface ResourceElement {
    readonly not: boolean;
    readonly templates: readonly Template[];
}
export interface PrincipalElement {
    readonly not: boolean;
    readonly everyone: boolean;
    readonly arns: ReadonlySet<string>;
}
export interface Statement {
    readonly sid: string | undefined;
    readonly effect: 'Allow' | 'Deny';
    readonly action: ActionElement;
    readonly resource: ResourceElement | undefined;
    readonly principal: PrincipalElement | undefined;
    readonly conditions: readonly Condition[];
}
export interface Policy {
    readonly kind: 'identity' | 'resource';
    readonly source: string;
    readonly statements: readonly Statement[];
}

// policy/public-policy.d.ts
import type { Policy } from './policy.ts';
export declare function isPublicPolicy(policy: Policy): boolean;

// policy/template.d.ts
import type { Facts } from './facts.ts';
interface Variable {
    readonly key: string;
    readonly fallback: string | undefined;
}
export type Template = readonly (string | Variable)[];
export interface TemplateOptions {
    readonly path: string;
    readonly variables: boolean;
    readonly wildcards: boolean;
}
export declare function parseTemplate(source: string, options: TemplateOptions): Template;
export declare function expandTemplate(template: Template, facts: Facts): string | undefined;
export {};

// principal.d.ts
import type { Policy } from './policy/policy.ts';
export interface Caller {
    readonly kind: 'root' | 'user' | 'anonymous';
    readonly name: string;
}
export interface PrincipalSession {
    readonly policy?: Policy;
    readonly expiresAt: number;
}
export interface Principal extends Caller {
    readonly accessKeyId?: string;
    readonly policies: readonly Policy[];
    readonly session?: PrincipalSession;
}
export declare const anonymousPrincipal: Principal;
export declare function principalArn(caller: Caller): string | undefined;
export declare function principalType(caller: Caller): 'Account' | 'User' | 'Anonymous';

// session/sessions.d.ts
import type { Account } from '../account.ts';
import type { Policy } from '../policy/policy.ts';
import { type StoredCredential } from '../stored-credential.ts';
export interface SessionCredentials {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken: string;
    readonly expiration: number;
}
export interface Sessions {
    issue(options: {
        readonly parent: Account;
        readonly durationSeconds: number;
        readonly policy?: Policy;
    }): Promise<SessionCredentials>;
    find(accessKeyId: string, token: string, parentOf: (accessKeyId: string) => Account | undefined): StoredCredential | Promise<StoredCredential>;
}
export interface SessionsOptions {
    readonly key: Uint8Array;
    readonly previousKey?: Uint8Array;
    readonly maxCachedTokens?: number;
    readonly now?: () => number;
}
export declare function createSessions(options: SessionsOptions): Sessions;

// session/sts.d.ts
import type { AccountSource } from '../account.ts';
import type { Authorizer } from '../authorizer.ts';
import type { RequestContext } from '../policy/facts.ts';
import { type Principal } from '../principal.ts';
import type { SessionCredentials, Sessions } from './sessions.ts';
export declare const SESSION_SECONDS: {
    readonly min: number;
    readonly max: number;
};
export interface Sts {
    assumeRole(request: AssumeRoleRequest): Promise<SessionCredentials>;
    getSessionToken(request: SessionRequest): Promise<SessionCredentials>;
}
export interface SessionRequest {
    readonly caller: Principal;
    readonly context?: RequestContext;
    readonly durationSeconds?: number;
}
export interface AssumeRoleRequest extends SessionRequest {
    readonly roleArn?: string;
    readonly policy?: unknown;
}
export interface StsOptions {
    readonly accounts: AccountSource;
    readonly sessions: Sessions;
    readonly authorizer: Authorizer;
}
export declare function createSts(options: StsOptions): Sts;

// stored-credential.d.ts
import type { Principal } from './principal.ts';
export interface StoredCredential {
    readonly principal: Principal;
    readonly secretAccessKey: string;
}
export declare function createStoredCredential(principal: Principal, secretAccessKey: string): StoredCredential;
