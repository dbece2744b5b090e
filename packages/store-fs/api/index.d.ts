// What @kms/store-fs declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export { type FsObjectStoreOptions, openFsObjectStore } from './fs-object-store.ts';
export type { StoreOwner } from './sessions.ts';
export type { StoreClock } from './store-clock.ts';

// database.d.ts
import type { Buffer } from 'node:buffer';
export interface Table {
    get(key: Buffer): Buffer | undefined;
    range(bounds: {
        readonly start: Buffer;
        readonly end?: Buffer;
    }): Iterable<{
        readonly key: Buffer;
        readonly value: Buffer;
    }>;
    put(key: Buffer, value: Buffer): void;
    remove(key: Buffer, value?: Buffer): void;
}
declare const TABLES: readonly ['meta', 'buckets', 'objects', 'tags', 'parts', 'segments', 'uploads', 'uploadIndex', 'uploadParts', 'pending', 'garbage', 'uses', 'sessions'];
type TableName = (typeof TABLES)[number];
export type Database = {
    readonly [T in TableName]: Table;
} & {
    transact<T>(work: () => T): Promise<T>;
    refresh(): void;
    close(): Promise<void>;
};
export declare function openDatabase(directory: string): Database;
export {};

// fs-object-store.d.ts
import type { ObjectStore } from '@kms/s3-api';
import { type StoreOwner } from './sessions.ts';
import { type StoreClock } from './store-clock.ts';
export interface FsObjectStoreOptions {
    readonly directory: string;
    readonly owner?: StoreOwner;
    readonly clock?: StoreClock;
    readonly onProblem?: (error: unknown) => void;
}
export declare function openFsObjectStore(options: FsObjectStoreOptions): Promise<ObjectStore>;

// sessions.d.ts
import { Buffer } from 'node:buffer';
import type { Database } from './database.ts';
import type { StoreClock } from './store-clock.ts';
export interface StoreOwner {
    readonly identity: string;
    isGone(identity: string): Promise<boolean>;
}
export declare const SIGN_MS = 60000;
export interface Sessions {
    readonly own: Buffer;
    sign(epoch: number): void;
    readonly alone: boolean;
    othersRead(): number | undefined;
    dead(): Promise<readonly Buffer[]>;
    remove(session: Buffer): void;
}
export interface SessionsOptions {
    readonly db: Pick<Database, 'sessions'>;
    readonly own: Buffer;
    readonly owner: StoreOwner | undefined;
    readonly clock: StoreClock;
}
export declare function createSessions({ db: { sessions: table }, own, owner, clock }: SessionsOptions): Sessions;

// store-clock.d.ts
export interface StoreClock {
    now(): number;
    after(ms: number, callback: () => void): () => void;
}
export declare const machineClock: StoreClock;
