import http from 'node:http';
import https from 'node:https';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { NO_PROXIES, type Proxies, type WebProxy } from './proxies.ts';

/** An agent of Node for a target, directly or through its proxy. */
export interface Route {
  readonly agent: http.Agent;
  readonly proxy: WebProxy | undefined;
}

/**
 * Keeps an SDK of Azure from looking for proxies itself, which it would do as it is made.
 * It never goes there, since every request has an agent.
 */
export const SDK_PROXY_OPTIONS = { host: 'http://127.0.0.1', port: 9 };

/** A proxy did not let a request through: its own answer, not one of the target. */
export class ProxyRefusal extends Error {
  override readonly name = 'ProxyRefusal';
  /** As in `PROXY_407`. */
  readonly code: string;

  constructor(statusCode: number) {
    super(`the proxy answered ${statusCode}`);
    this.code = `PROXY_${statusCode}`;
  }
}

const agents = new WeakMap<object, Map<string, http.Agent>>();

/**
 * How to reach a target. There is one agent for each way, so that connections are used
 * again. Fails with CONFIG_INVALID where the environment names something that is not a
 * proxy.
 */
export function routeTo(target: URL, proxies: Pick<Proxies, 'proxyFor'> = NO_PROXIES): Route {
  const proxy = proxies.proxyFor(target);
  const known = agents.get(proxies) ?? new Map<string, http.Agent>();
  agents.set(proxies, known);
  const key = `${target.protocol} ${proxy?.url.href ?? ''}`;
  const agent = known.get(key) ?? agentFor(target.protocol, proxy);
  known.set(key, agent);
  return { agent, proxy };
}

function agentFor(protocol: string, proxy: WebProxy | undefined): http.Agent {
  const options = { keepAlive: true };
  if (proxy === undefined) return protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
  const { href } = proxy.url;
  return protocol === 'https:' ? new Tunnel(href, options) : new HttpProxyAgent(href, options);
}

/**
 * Fails a request whose tunnel the proxy refuses, where its base would take the proxy's
 * answer for the target's.
 */
class Tunnel extends HttpsProxyAgent<string> {
  override async connect(
    ...parameters: Parameters<HttpsProxyAgent<string>['connect']>
  ): ReturnType<HttpsProxyAgent<string>['connect']> {
    const [request] = parameters;
    let refusal: ProxyRefusal | undefined;
    request.once('proxyConnect', ({ statusCode }: { readonly statusCode: number }) => {
      if (statusCode !== 200) refusal = new ProxyRefusal(statusCode);
    });
    const socket = await super.connect(...parameters);
    if (refusal === undefined) return socket;
    socket.destroy();
    throw refusal;
  }
}
