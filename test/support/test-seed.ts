/**
 * What random tests begin with: always the same, unless a run of CI sets another and
 * prints it.
 */
export const TEST_SEED = Number(process.env['SLUICE_TEST_SEED'] ?? 20250414);
