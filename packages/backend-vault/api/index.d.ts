// What @kms/backend-vault declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export type { VaultPolicy } from './config/vault-policy.ts';
export type { HostAddress, Resolve } from './transport/pinned-lookup.ts';
export { type VaultDriverOptions, vaultDriver } from './vault-driver.ts';

// config/vault-address.d.ts
import { z } from 'zod';
export interface VaultAddress {
    readonly origin: string;
    readonly protocol: 'http:' | 'https:';
    readonly host: string;
    readonly port: number;
}
export declare function parseVaultAddress(text: unknown): VaultAddress | undefined;
export declare const addressField: z.ZodType<string, string>;

// config/vault-policy.d.ts
export interface VaultPolicy {
    readonly allowHosts?: readonly string[];
    readonly allowHttp?: boolean;
    readonly allowSkipTlsVerify?: boolean;
    readonly allowSecretFiles?: readonly string[];
}

// transport/pinned-lookup.d.ts
import type { LookupFunction } from 'node:net';
import type { VaultAddress } from '../config/vault-address.ts';
import type { VaultPolicy } from '../config/vault-policy.ts';
export interface HostAddress {
    readonly address: string;
    readonly family: number;
}
export type Resolve = (host: string) => Promise<readonly HostAddress[]>;
export declare const systemResolve: Resolve;
export interface PinnedLookupOptions {
    readonly protocol: VaultAddress['protocol'];
    readonly policy: VaultPolicy;
    readonly resolve: Resolve;
    readonly shift: () => number;
}
export declare function createPinnedLookup({ protocol, policy, resolve, shift }: PinnedLookupOptions): LookupFunction;

// vault-driver.d.ts
import { type BackendDriver } from '@kms/core';
import type { VaultPolicy } from './config/vault-policy.ts';
import type { Resolve } from './transport/pinned-lookup.ts';
export interface VaultDriverOptions {
    readonly policy: VaultPolicy;
    readonly onWarning?: (message: string) => void;
    readonly resolve?: Resolve;
}
export declare function vaultDriver(options: VaultDriverOptions): BackendDriver;
