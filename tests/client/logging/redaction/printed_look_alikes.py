"""Lines of programs that name secrets and hold none, and numbers and ids that look like some."""

from __future__ import annotations

PRINTED = r"""
level=info msg="token refreshed" ttl=3600 user=ada
Token expired, refreshing token for user 42
the password for the admin user was changed
the following passwords are not allowed: too short ones
password is generated for each tenant at first start
Password was set for user ada at 12:00:01
A temporary password is sent by mail
use token bucket rate limiting for this route
token mismatch_between_header_and_form detected
authorization com.example.security.AuthorizationFilter2 skipped
api key rotation_completed_successfully_in_region eu-west-1
Unseal Key 1 of 3 accepted
Unseal Progress 2/3
Recovery Key 2 is missing
sentinel auth-pass mymaster is not set
radius-server host 10.0.0.1 key missing
radius key wrapping enabled
tacacs-server key mismatch
ENC session opened
ENC complete: 120 frames
costs $9$ or more
git diff <<<<<<< HEAD
cat <<< "hello"
bash: <<<: unexpected
grep -q ok <<< $output
mysqlsh --version
mysqlsh root@localhost:3306
cs1Label=policy cs1=default-policy-2024-a
cs2Label=URL cs2=https://x.example.com
unlock-keychain -p (hidden)
security import failed with -P missing
signtool sign /f a.pfx /t http://t.example.com a.exe
certutil -hashfile a.iso SHA256
password: str = Field(...)
token: str = 'default'
token: Optional[str] = None
secret: bytes = b''
api_key: str | None = None
1234 as your lucky number
saved as your default code path
recovery codes: 10 left
backup code 404 not used
backup codes: none
nats://nats:4222
nats://worker-a@nats.example.com:4222
fc-list: 512 fonts
fc-cache -fv done
pa-11y audit passed
cs_CZ.UTF-8 locale loaded
ck_assert_int_eq failed
ext_modules built
sc_register called
syt_parser_v2_loaded ok
1000.5 ms
1000.0000 requests
jina_embeddings_v2_base loaded
e2b_sandbox started
secret_manager_client_version_two_is_now_in_use_x
secret-store-csi-driver-provider-aws-daemonset-x1y2
console-ui-deployment-7d9fcb8b44-abcde started
console-setup-linux-2024-stable
ATTACH DATABASE main
dnkey-based lookup
AC0123456789abcdef0123456789abcdef created
550e8400-e29b-41d4-a716-446655440000:fxrate
aad3b435b51404ee:::
a:::b:::c
std:::string
parola: errata
parola chiave mancante
puk: required
puk=3
service key rotation started
service_key=default
integration_key_count=3
admin key pressed
admin_key=none
ca_key=/etc/ssl/ca.key
CA key: /etc/pki/ca.key
nonce key reused
user_session=active
user_session=none
admin_session=ended
laravel_session expired
sonar.login=admin
art api returned 200
authentication_string=disabled
wallet WIF import finished
genie key missing
[2026-11-28 10:00:00] production.INFO: Session regenerated {"session_driver":"redis"}
Processing by SessionsController#create as HTML
  Parameters: {"utf8"=>"✓", "user"=>{"email"=>"a@x.com"}}
Completed 200 OK in 12ms (Views: 5.1ms | ActiveRecord: 2.0ms)
Started GET "/password/edit" for 127.0.0.1
I, [2026-11-28T10:00:00.123456 #4242] INFO -- : job 4111 done
kubelet: pod web-7d9fcb8b44-x2x9z sandbox changed
kubelet: MountVolume.SetUp succeeded for volume "kube-api-access-8zq2k"
pulled image registry.example.com/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
etcd: compacted raft log at 5000012
apiserver: audit-id=9f86d081-884c-4d65-9a2f-eaa0c55ad015 verb=get
nginx: 10.0.0.1 - - "GET /token-bucket/docs?page=2 HTTP/1.1" 200 512
nginx: "GET /search?q=password+manager&sort=asc HTTP/1.1" 200
nginx: "GET /api/keys?limit=50&cursor=100 HTTP/1.1" 200
nginx: "GET /assets/app.9f86d081884c7d65.js HTTP/1.1" 304
haproxy: backend auth/server1 0/0/1/5/6 200 1234
postgres: LOG: checkpoint complete: wrote 4111 buffers (25.1%)
postgres: ERROR: relation "password_resets" does not exist
postgres: STATEMENT: SELECT token_count FROM usage WHERE id = $1
mysql: [Note] Access denied for user 'ada'@'10.0.0.1' (using password: YES)
mysql: [Warning] Using a password on the command line interface can be insecure.
redis: # Server initialized, auth disabled
redis: NOAUTH Authentication required.
kafka: [Consumer clientId=c-1, groupId=g] Resetting offset for partition t-0 to 41111111
kafka: sasl.mechanism = PLAIN
kafka: ssl.keystore.password = null
kafka: sasl.jaas.config = null
kafka: ssl.key.password = [hidden]
spring: Generated security configuration is for development use only
spring: No active profile set, falling back to default
hibernate: select u.id, u.password_hash from users u where u.id=?
django: Forbidden (CSRF cookie not set.): /login/
django: CSRF token missing or incorrect
flask: 127.0.0.1 "POST /reset-password HTTP/1.1" 302
celery: Task auth.tasks.expire_tokens[9f86d081-884c-4d65-9a2f-eaa0c55ad015] succeeded in 0.012s
airflow: Marking task as SUCCESS dag_id=token_refresh
docker: Login Succeeded
docker: WARNING! Your password will be stored unencrypted in /root/.docker/config.json.
docker: unauthorized: incorrect username or password
git: remote: Support for password authentication was removed on August 13, 2021.
git: fatal: Authentication failed for 'https://git.example.com/x.git/'
npm: npm warn deprecated secret-stack@6.4.2: use ssb-secret-stack
npm: added 412 packages in 9s
pip: Collecting token-utils==0.1.8
pip: Successfully installed pyjwt-2.8.0 secretstorage-3.3.3
cargo: Compiling secrecy v0.8.0
go: go: downloading github.com/golang-jwt/jwt/v5 v5.2.0
sshd: Failed password for invalid user admin from 10.0.0.1 port 4111 ssh2
sshd: Failed password for root from 10.0.0.1 port 22 ssh2
sudo: ada : TTY=pts/0 ; PWD=/home/ada ; USER=root ; COMMAND=/usr/bin/passwd bob
systemd: Started Password Prompt Wall Directory Watch.
systemd: pam_unix(cron:session): session opened for user root(uid=0)
NetworkManager: <info> secrets: new agent (wifi)
NetworkManager: device (wlan0): Activation: (wifi) secrets required
wpa_supplicant: WPA: Key negotiation completed with 00:11:22:33:44:55 [PTK=CCMP GTK=CCMP]
openvpn: VERIFY OK: depth=0, CN=server
openvpn: PUSH: Received control message: 'PUSH_REPLY,auth-token'
wireguard: peer(abcd) handshake completed
vault: core: security barrier not initialized
vault: token_policies=["default"] token_ttl=768h
consul: agent: (LAN) joined: number_of_nodes=3
terraform: aws_secretsmanager_secret.db: Creation complete after 1s
terraform: random_password.db: Creating...
terraform: + password = (sensitive value)
ansible: TASK [Set root password] ***********
ansible: ok: [host1] => {"changed": false, "password_changed": false}
prometheus: level=info component=tsdb msg="write block" ulid=01HF4111ABCDEF4111ABCDEF
grafana: logger=authn.service msg="Failed to authenticate request" error="invalid username or password"
elasticsearch: [o.e.x.s.a.TokenService] token service started
jenkins: Setup wizard initial password file: /var/jenkins_home/secrets/initialAdminPassword
gitlab: {"severity":"INFO","method":"GET","path":"/-/profile/personal_access_tokens","status":200}
sidekiq: TokenCleanupWorker JID-9f86d081884c7d659a2f INFO: done: 0.12 sec
android: I/KeyStore: keystore unlocked
ios: SecItemCopyMatching returned -25300
chrome: [WARNING:password_store.cc(12)] Password store unavailable
firefox: Password field is empty in form login
vllm: Avg prompt throughput: 411.1 tokens/s, Avg generation throughput: 55.5 tokens/s
transformers: Special tokens have been added in the vocabulary
openai: usage prompt_tokens=512 completion_tokens=128 total_tokens=640
torch: loading checkpoint shards: 100%
ffmpeg: frame= 4111 fps= 60 q=28.0 size= 4111kB time=00:01:08.51 bitrate= 491.5kbits/s
x264 [info]: pass: 2 of 2
CI: secrets.GITHUB_TOKEN is not available in forks
CI: Masking secret values in log
CI: token: ***
CI: password: ********
config: password_file=/run/secrets/db_password
config: token_url=https://x.example.com/oauth/token
config: api_key_header=X-Api-Key
config: session_cookie_secure=true
config: secret_backend=vault
config: auth_method=ldap
config: credentials_provider=instance_profile
config: PASSWORD_MIN_LENGTH=12
config: JWT_ALGORITHM=HS256
config: TOKEN_EXPIRE_MINUTES=30
config: pwd=/var/lib/app
config: pass=1
config: auth=none
config: key=value
{"event":"login","password_ok":true,"token_type":"Bearer","expires_in":3600}
{"msg":"reset password","user_id":42}
{"tokens":[101,2023,2003,102]}
{"token":" the","logprob":-0.12}
{"cursor":"eyJ","has_more":false}
{"key":"user:42","ttl":60}
{"routing_key":"celery.pidbox.reply"}
{"etag":"\"9f86d081884c7d65\"","size":4111}
{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}
{"sha":"2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"}
{"phone":"+49 170 1234567","order":"4111-2222"}
{"isbn":"978-3-16-148410-0","ean":"4006381333931"}
{"imei":"490154203237518"}
{"ts":1763999999123456789}
{"lat":52.520008,"lon":13.404954}
{"mac":"00:1A:2B:3C:4D:5E","ip":"10.0.0.1"}
{"ulid":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}
{"ksuid":"0ujtsYcgvSTl8PAuAdqWYSMnLOv"}
{"nanoid":"V1StGXR8_Z5jdHi6B-myT"}
{"objectid":"507f1f77bcf86cd799439011"}
order 4111 1111 shipped
ticket ABCD-1234-EFGH closed
version v1.0-20240101120000-9f86d081884c
go.sum h1:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq=
integrity sha512-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ==
ETag: W/"5d8c72a5edda8d6a"
X-Request-Id: 9f86d081884c7d659a2feaa0c55ad015
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
Content-Security-Policy: script-src 'nonce-abc123'
WWW-Authenticate: Bearer realm="x", error="invalid_token"
Authorization header missing
Authorization: ***
Cookie: ***
if (password == null) throw new IllegalArgumentException("password");
def check_password(self, password):
return hmac.compare_digest(token, expected)
assert token is not None
user.setPassword(encoder.encode(password));
const { password, ...rest } = user;
password = getpass.getpass()
String token = request.getHeader("X-Auth-Token");
SELECT * FROM tokens WHERE expires_at < now()
ALTER TABLE users ADD COLUMN password_hash text
GRANT SELECT ON secrets TO reader
CREATE INDEX ix_token ON sessions (token)
das Passwort ist falsch
Passwort vergessen?
mot de passe oublié
contraseña incorrecta
пароль неверен
密码错误
パスワードが違います
비밀번호가 틀렸습니다
şifre yanlış
hasło nieprawidłowe
"""
"""One a line."""
