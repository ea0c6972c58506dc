/** Azurite by itself; prints its connection string and ends with its parent. */
import { startAzurite } from '../../src/embedded/azurite.ts';

const { connectionString } = await startAzurite();
console.log(connectionString);
process.stdin.on('close', () => process.exit());
process.stdin.resume();
