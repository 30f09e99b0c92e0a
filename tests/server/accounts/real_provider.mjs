// A certified provider of log-ins (npm: oidc-provider) for the test beside it.
// node real_provider.mjs FOLDER-OF-NODE-MODULES ADDRESS-OF-THE-SERVER ALGORITHM: prints its issuer, serves until killed.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, server, algorithm] = process.argv.slice(2);
const { default: Provider } = await import(
  pathToFileURL(join(folder, 'node_modules/oidc-provider/lib/index.js')).href
);
const web = createServer();
await new Promise((done) => web.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${web.address().port}`;
const pair = algorithm === 'ES256'
  ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
  : generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'hailong',
    client_secret: 's3cret/of the+client',
    redirect_uris: [`${server}/log-in/provider/done`],
    post_logout_redirect_uris: [`${server}/log-in`],
    backchannel_logout_uri: `${server}/log-in/provider/ended`,
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code'],
    response_types: ['code'],
    id_token_signed_response_alg: algorithm,
  }],
  jwks: { keys: [{ ...pair.privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'of-this-run' }] },
  cookies: { keys: ['of this test alone'] },
  claims: { openid: ['sub'], profile: ['preferred_username', 'roles'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true } },
  // it calls nobody on its own machine, which is where the server of a test is
  fetch: (url, { dispatcher, signal, ...options }) => fetch(url, { ...options, signal: AbortSignal.timeout(60_000) }),
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, roles: id === 'stranger' ? ['other'] : ['hl-analyst'] }),
  }),
});
web.on('request', provider.callback());
console.log(issuer);
