# syntax=docker/dockerfile:1
# Build: docker build -t sallyport .
# Run:   docker run --read-only --tmpfs /tmp -e SALLYPORT_ENV=prod -v "$PWD/policies:/policies:ro" -p 8443:8443 sallyport

FROM node:24-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.base.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --omit=optional --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production SALLYPORT_POLICIES=/policies
WORKDIR /app
COPY --from=build --chown=root:root /src/node_modules ./node_modules
COPY --from=build --chown=root:root /src/dist ./dist
COPY --chown=root:root package.json LICENSE ./
COPY --chown=root:root schema ./schema
# The image's own user; it owns nothing it runs.
USER node
# Policies are mounted read-only; nothing else is written, so the root file system may be read-only too.
VOLUME ["/policies"]
EXPOSE 8443 9100 9901
HEALTHCHECK --interval=10s --timeout=2s --start-period=5s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.SALLYPORT_ADMIN_PORT || 9901) + '/readyz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/node/cli/main.js"]
CMD ["serve"]
