// What @kms/backend-local declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export { type LocalDriverOptions, localDriver } from './local-driver.ts';
export type { LocalPolicy } from './policy.ts';

// local-driver.d.ts
import { type BackendDriver } from '@kms/core';
import type { LocalPolicy } from './policy.ts';
import type { Environment } from './root-secret.ts';
export interface LocalDriverOptions {
    readonly rootKeyDir: string;
    readonly environment: Environment;
    readonly policy: LocalPolicy;
}
export declare function localDriver(options: LocalDriverOptions): BackendDriver;

// policy.d.ts
export interface LocalPolicy {
    readonly allowKeyDirs?: readonly string[];
    readonly allowSecretFiles?: readonly string[];
    readonly forbiddenDirs: readonly string[];
}

// root-secret.d.ts
import { type ConfigDocument } from '@kms/core';
import type { LocalPolicy } from './policy.ts';
export type Environment = (name: string) => string | undefined;
export interface RootSecret {
    readonly field: 'master_key' | 'master_key_file' | 'master_key_env';
    readonly text: string;
}
export interface RootSecretOptions {
    readonly environment: Environment;
    readonly policy: LocalPolicy;
}
export declare function readRootSecret(config: ConfigDocument, { environment, policy }: RootSecretOptions): Promise<RootSecret | undefined>;
