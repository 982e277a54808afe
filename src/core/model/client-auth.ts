/** How a client proves itself to an authorization server: RFC 6749 section 2.3.1, RFC 7523, RFC 8705 section 2. */
export type ClientAuth = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'tls_client_auth'
