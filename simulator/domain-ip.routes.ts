import { requireTokenOwner, type ApiRoute } from './api-route.js';

/** Documentation addresses (RFC 5737), so nobody mistakes them for WeChat's. */
const API_ADDRESSES = ['203.0.113.10', '203.0.113.11', '198.51.100.20'];

/** Needs nothing but a working token, which makes it the cheapest proof that one works. */
const getApiDomainIp: ApiRoute = {
  path: '/cgi-bin/get_api_domain_ip',
  handle(call, context) {
    requireTokenOwner(call, context);
    return { ip_list: API_ADDRESSES };
  },
};

/** The APIs that list WeChat's addresses. */
export const domainIpRoutes: ApiRoute[] = [getApiDomainIp];
