// What @kms/audit declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export { type AuditFiles, type AuditFilesOptions, type AuditStatistics, createAuditFiles } from './audit-files.ts';
export { type AuditKey, createAuditKey, type SignedPlace } from './audit-key.ts';
export type { AuditCheckpoint } from './audit-segment.ts';
export { type AuditProblem, type AuditReport, type VerifyAuditOptions, verifyAudit } from './verify-audit.ts';

// audit-files.d.ts
import { open } from 'node:fs/promises';
import { type AuditSink, type Clock, type Random } from '@kms/core';
import type { AuditKey } from './audit-key.ts';
import { type AuditCheckpoint } from './audit-segment.ts';
export interface AuditFilesOptions {
    readonly directory: string;
    readonly key: AuditKey;
    readonly sync: 'always' | 'interval' | 'never';
    readonly whenFull: 'block' | 'drop';
    readonly maxFileBytes: number;
    readonly dataPercent: number;
    readonly clock?: Clock;
    readonly random?: Random;
    readonly onCheckpoint: (checkpoint: AuditCheckpoint) => void;
    readonly onTrouble: (reason: string) => void;
    readonly onRecovered: (missed: number) => void;
    readonly openFile?: typeof open;
}
export interface AuditStatistics {
    readonly records: number;
    readonly missed: number;
    readonly skipped: number;
    readonly writing: boolean;
    readonly checkpoint: {
        readonly seq: number;
        readonly at: number;
    } | undefined;
}
export interface AuditFiles extends AuditSink {
    statistics(): AuditStatistics;
    checkpoint(): Promise<void>;
    close(): Promise<void>;
}
export declare function createAuditFiles(options: AuditFilesOptions): Promise<AuditFiles>;

// audit-key.d.ts
export interface AuditKey {
    readonly id: string;
    readonly publicKey: string;
    sign(checkpoint: SignedPlace): string;
}
export interface SignedPlace {
    readonly chain: string;
    readonly seq: number;
    readonly head: string;
}
export declare function createAuditKey(seed: Uint8Array): AuditKey;
export declare function auditKeyId(publicKey: string): string;
export declare function checkSignature(publicKey: string, checkpoint: SignedPlace, signature: string): boolean;

// audit-segment.d.ts
import type { open } from 'node:fs/promises';
import { type Clock } from '@kms/core';
import type { AuditKey } from './audit-key.ts';
export interface AuditCheckpoint {
    readonly chain: string;
    readonly seq: number;
    readonly head: string;
}
export interface AuditSegment {
    readonly size: number;
    readonly unsealed: number;
    append(lines: readonly (readonly [type: string, members: object])[]): Promise<void>;
    checkpoint(): Promise<AuditCheckpoint>;
    sync(): Promise<void>;
    next(): Promise<AuditSegment>;
    close(): Promise<void>;
}
export interface AuditSegmentOptions {
    readonly directory: string;
    readonly index: number;
    readonly chain: string;
    readonly prev: string;
    readonly seq: number;
    readonly key: AuditKey;
    readonly clock: Clock;
    readonly openFile: typeof open;
}
export declare function openSegment(options: AuditSegmentOptions): Promise<AuditSegment>;

// verify-audit.d.ts
export interface VerifyAuditOptions {
    readonly publicKeys?: readonly string[];
    readonly expectHead?: string;
}
export interface AuditProblem {
    readonly file: string;
    readonly line?: number;
    readonly reason: string;
}
export interface AuditReport {
    readonly problems: readonly AuditProblem[];
    readonly files: number;
    readonly lines: number;
    readonly records: number;
    readonly checkpoints: number;
    readonly fromTheBeginning: boolean;
    readonly sealed: boolean;
    readonly head: string | undefined;
    readonly keyIds: readonly string[];
    readonly missed: number;
}
export declare function verifyAudit(directory: string, options?: VerifyAuditOptions): Promise<AuditReport>;
