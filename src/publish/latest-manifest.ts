import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import type { BlobStore, Precondition } from '../sinks/sink.ts';
import { type Manifest, manifestNames, parseManifest } from './manifest.ts';

/**
 * What `latest.json` says was published last, and what to write its next version under.
 */
export interface LatestManifest {
  /**
   * Absent where there is none, where it says nothing usable, or where manifests are off.
   */
  readonly manifest?: Manifest | undefined;
  /** Why a blob that is there says nothing. */
  readonly damage?: string | undefined;
  readonly condition: Precondition;
}

const ABSENT: LatestManifest = { condition: { ifAbsent: true } };

type Latest = Pick<ResolvedActivation, 'name' | 'destination' | 'parameterSet'>;

export function latestName({ name, destination, parameterSet }: Latest): string {
  return manifestNames(destination.folder, name, { run: '', set: parameterSet?.name }).latest;
}

/**
 * Damage is reported, not thrown: a full run replaces the blob. One that the storage does
 * not let anybody read, such as one that a rule has archived, stops only runs that go by
 * it.
 */
export async function readLatest(
  activation: ResolvedActivation,
  store: Pick<BlobStore, 'getBlob' | 'head'>,
): Promise<LatestManifest> {
  if (!activation.manifest) return ABSENT;
  const name = latestName(activation);
  try {
    const there = await store.getBlob(name);
    if (there === undefined) return ABSENT;
    const { manifest, damage } = parseManifest(there.bytes);
    return {
      manifest,
      damage: damage && `${name} is not a manifest that Sluice wrote (${damage})`,
      condition: { ifMatch: there.etag },
    };
  } catch (error) {
    const isRefused = error instanceof SluiceError && error.code === 'DESTINATION_REFUSED';
    if (!isRefused || activation.runType === 'full_then_delta') throw error;
    const there = await store.head(name);
    if (there === undefined) return ABSENT;
    return { damage: error.message, condition: { ifMatch: there.etag } };
  }
}
