/**
 * Has glibc ask for pages of 2 MiB in the processes that this one starts: a run touches
 * its memory for the first time with a tenth less CPU. What the environment says stands
 * in its place. Other C libraries, and older ones, take no notice.
 */
export function takeLargePages(): void {
  process.env['GLIBC_TUNABLES'] ??= 'glibc.malloc.hugetlb=1';
}
