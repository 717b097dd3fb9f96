import { setTimeout as delay } from 'node:timers/promises';
import type { WechatSimulator } from '../../simulator/wechat-simulator.js';

const PAUSE_MS = 200;
const MAX_TRIES = 150;

/** A ticket that was answered `success`, and how often it had to be sent for that. */
export interface DeliveredTicket {
  ticket: string;
  createTime: number;
  tries: number;
}

/** How tickets are sent. */
export interface TicketStream {
  count: number;
  /** CreateTime of the first; each later one is a second younger. */
  firstCreateTime: number;
  intervalMs: number;
  /** The URLs to push to, in turn, as a load balancer does that has not noticed a failure. */
  urls: () => string[];
}

/**
 * Pushes tickets as WeChat does, one after another without waiting for the answers, each again
 * until it is answered `success`. Resolves when all are.
 */
export async function deliverTickets(
  simulator: WechatSimulator,
  appid: string,
  stream: TicketStream,
): Promise<DeliveredTicket[]> {
  const deliveries: Promise<DeliveredTicket>[] = [];
  for (let index = 0; index < stream.count; index += 1) {
    deliveries.push(deliver(simulator, appid, stream, index));
    await delay(stream.intervalMs);
  }
  return Promise.all(deliveries);
}

async function deliver(
  simulator: WechatSimulator,
  appid: string,
  { firstCreateTime, urls }: TicketStream,
  index: number,
): Promise<DeliveredTicket> {
  const createTime = firstCreateTime + index;
  const push = simulator.buildTicketPush(appid, { createTime });
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const targets = urls();
    const url = targets[(index + tries) % targets.length];
    const { status, body } = await simulator.push(appid, push, { url });
    if (status === 200 && body === 'success') {
      return { ticket: push.ticket ?? '', createTime, tries };
    }
    await delay(PAUSE_MS);
  }
  throw new Error(`A ticket was refused ${MAX_TRIES} times`);
}
