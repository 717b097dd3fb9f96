import cluster from 'node:cluster';

/**
 * Which of the `WORKERS` this process is, from 1; one that takes the place of a dead one has its
 * number. Undefined in a hub of one process, and in the primary. The primary passes it as argument.
 */
export const workerNumber = cluster.isWorker ? Number(process.argv[2]) : undefined;
