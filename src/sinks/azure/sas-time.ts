import type { SasDescription } from './sas.ts';

/** A SAS that begins this soon will be taken when the run is repeated. */
const SOON_MS = 15 * 60_000;
/** Clocks that differ by less are called equal; the answer's time has whole seconds. */
const EQUAL_MS = 5_000;

export interface TimeFault {
  readonly text: string;
  readonly hint: string;
  readonly retryable: boolean;
}

/**
 * Why a signature was refused, where that is its time. The service's clock decides: ours
 * may be off, and is only asked where the answer has no date.
 */
export function timeFault(
  sas: SasDescription | undefined,
  serviceTime: Date | undefined,
  here = new Date(),
): TimeFault | undefined {
  const now = serviceTime ?? here;
  const { startsOn, expiresOn } = sas ?? {};
  const seen = `the clock of the service says ${now.toISOString()}${skew(serviceTime, here)}`;
  if (startsOn && startsOn > now) {
    const isSoon = startsOn.getTime() - now.getTime() <= SOON_MS;
    return {
      text: `the SAS token is not valid yet: it begins at ${startsOn.toISOString()}, and ${seen}`,
      hint: isSoon
        ? 'run again when it has begun; begin tokens 15 minutes in the past, for clocks differ'
        : 'make a SAS token that has begun',
      retryable: isSoon,
    };
  }
  if (expiresOn && expiresOn <= now) {
    return {
      text: `the SAS token expired at ${expiresOn.toISOString()}; ${seen}`,
      hint: 'make a new SAS token',
      retryable: false,
    };
  }
  return undefined;
}

function skew(serviceTime: Date | undefined, here: Date): string {
  if (serviceTime === undefined) return ' (by the clock of this machine)';
  const aheadMs = here.getTime() - serviceTime.getTime();
  if (Math.abs(aheadMs) < EQUAL_MS) return '';
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  return `; the clock of this machine is ${seconds} s ${aheadMs > 0 ? 'ahead of it' : 'behind it'}`;
}
