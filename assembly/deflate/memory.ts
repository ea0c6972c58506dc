/**
 * Where things lie in the memory of the module that deflates. Whoever calls it writes the
 * text, and reads what came of it.
 */

/** As far back as deflate refers. */
export const WINDOW_BYTES: u32 = 32 * 1024;
/** The most that a call compresses. */
export const PIECE_BYTES: u32 = 256 * 1024;
/** Words are read and written that far past the end. */
const MARGIN: u32 = 64;

export const LITERAL_SYMBOLS: u32 = 288;
export const OFFSET_SYMBOLS: u32 = 32;

/** By a match's length: the symbol, less that of the shortest. Constants lie below. */
export const LENGTH_SLOTS: usize = 4096;
/** By such a symbol: the shortest length, and how many bits tell how much longer. */
export const LENGTH_BASES: usize = LENGTH_SLOTS + 512;
export const LENGTH_EXTRA_BITS: usize = LENGTH_BASES + 32 * 4;

/** How often each symbol comes in the block. */
export const LITERAL_COUNTS: usize = LENGTH_EXTRA_BITS + 32 * 4;
export const OFFSET_COUNTS: usize = LITERAL_COUNTS + LITERAL_SYMBOLS * 4;
/** By symbol: the code, its first bit lowest, and from bit 16 on how many bits it has. */
export const LITERAL_CODES: usize = OFFSET_COUNTS + OFFSET_SYMBOLS * 4;
export const OFFSET_CODES: usize = LITERAL_CODES + LITERAL_SYMBOLS * 4;
export const FIXED_LITERAL_CODES: usize = OFFSET_CODES + OFFSET_SYMBOLS * 4;
export const FIXED_OFFSET_CODES: usize = FIXED_LITERAL_CODES + LITERAL_SYMBOLS * 4;
/** By a match's length: code and extra bits, from bit 24 on how many those are. */
export const LENGTH_CODES: usize = FIXED_OFFSET_CODES + OFFSET_SYMBOLS * 4;

/** Room to make a code. */
export const SORTED: usize = LENGTH_CODES + 260 * 4;
export const LEAVES: usize = SORTED + LITERAL_SYMBOLS * 4;
export const LENGTHS_USED: usize = LEAVES + LITERAL_SYMBOLS * 4;
/** Room for how the two codes of a block are told. */
export const CODE_LENGTHS: usize = LENGTHS_USED + 32 * 4;
export const LENGTH_RUNS: usize = CODE_LENGTHS + 512;
export const RUN_COUNTS: usize = LENGTH_RUNS + 512 * 4;
export const RUN_CODES: usize = RUN_COUNTS + 32 * 4;

/** What was seen in the block, and since it was last looked at; see `hasChanged`. */
export const SEEN: usize = RUN_CODES + 32 * 4;
export const SEEN_LATELY: usize = SEEN + 16 * 4;

/** What a symbol takes by what was seen, in sixteenths of a bit, extra bits with it. */
export const LITERAL_COSTS: usize = SEEN_LATELY + 16 * 4;
export const OFFSET_COSTS: usize = LITERAL_COSTS + LITERAL_SYMBOLS * 4;

/** Where five bytes that give this hash were last. */
export const HASH_BITS: u32 = 16;
export const HEADS: usize = 64 * 1024;
/** By the place modulo the window: where five of the same hash were before. */
export const BEFORE: usize = HEADS + (4 << HASH_BITS);

/** The matches of a block: how many literals come before, then length and distance. */
export const MATCHES: usize = BEFORE + WINDOW_BYTES * 4;
export const MAX_MATCHES: u32 = 32 * 1024;
/** The text before, up to a window of it, ends here, and what is compressed begins. */
export const TEXT: usize = MATCHES + MAX_MATCHES * 8 + WINDOW_BYTES + 64;
export const OUTPUT: usize = TEXT + PIECE_BYTES + MARGIN;
/** No code is longer than 15 bits, so that nothing takes more than twice its room. */
export const MEMORY_BYTES: usize = OUTPUT + 2 * PIECE_BYTES + 8 * 1024;
