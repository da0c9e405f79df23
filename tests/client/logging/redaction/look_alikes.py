"""Texts and records that only look like secrets: programs' messages, tables, code, YAML, numbers."""

from __future__ import annotations

from typing import Any

TEXTS = r"""
SELECT pid, usename, query FROM pg_stat_activity WHERE state = 'active'
INSERT INTO metrics (name, value) VALUES ('token_count', 512)
INSERT INTO users (name, email) VALUES ('ada', 'ada@example.com')
INSERT INTO audit (user, action, password_changed) VALUES ('ada', 'login', true)
INSERT INTO tokens (kind, count) VALUES ('word', 12)
INSERT INTO docs (id, title) VALUES (1, 'How to reset the password')
COPY metrics (name, value) FROM stdin;
user,password_length,role
name,token_count,total_tokens
id,tokens,text
1,512,hello
| name | value |
| password | required |
| Password | string | yes |
| token | description |
| token_count | 512 |
| secret | type |
| Field | Type | Null |
| password | varchar(255) | NO |
| max_tokens | 4096 |
password | text | not null
│ password │ str │
+----------+-------+
password ........ ok
password ........ FAILED
token ........... 12
test_password_reset ... ok
tests/test_token.py ..... [ 50%]
tests/auth/test_password.py::test_login PASSED [ 12%]
PASS: test_secret_rotation
PASS tests
PASS  12 tests
PASS 3/3
PASS test_utf8
PASS check-v2
FTP command: PASS (hidden)
PASS ****
LOGIN failed
a1 LOGIN failed
LOGIN: ada logged in
a1 OK LOGIN completed
AUTH failed for ada
AUTH required
AUTH LOGIN
AUTH PLAIN LOGIN CRAM-MD5
250-AUTH PLAIN LOGIN
AUTH 200 OK
"AUTH" "(redacted)"
IDENTIFY required
vault login failed
vault login successful
docker login succeeded
az login failed with code 1
aws configure list
aws configure set region us-east-1
aws configure set output json
net use succeeded
net user ada /delete
net use Z: \\srv\share
htpasswd -v f ada
useradd -m -p /home ada
useradd -m ada
scott/tiger.txt
scott/main@v1.2
actions/checkout@v4
actions/setup-python@v5.1.0
uses: docker/build-push-action@v6
node_modules/react/index.js@18.2.0
npm install @types/node@20.1.0 react/dom@18
pip install git+https://github.com/x/y@main
github.com/pkg/errors@v0.9.1
go: downloading github.com/stretchr/testify@v1.8.4
ghcr.io/org/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
library/redis:7@sha256:abc
docs/README.md@abcdef1234
ada@tcp(db:3306)/shop
tcp(db:3306) refused
dial tcp(10.0.0.1:3306): i/o timeout
time 10:20:30@host
user:group@host
localhost:5432:listening
10.0.0.1:5432:accept
db.example.com:5432 - accepting connections
12:34:56:78:9a:bc
a:b:c:d:e
localhost:8080:app:main:ready
localhost:3000:web:latest:sha
arn:aws:s3:::bucket/key
urn:isbn:0451450523:x:y
std::vec::Vec::push
file.py:12:34:error: no token
main.cc:1234:5:note: expanded from macro
host:5432:db:user:
0000:3b:00.0 VGA compatible controller
$1 and $2 are arguments
$1$2$3
awk '{print $1, $2, $6}'
echo $5 $6
costs $5 or $6
$2b or not $2b
price: $1.50
s/\$1\$/x/
bcrypt cost 12
argon2id m=65536 t=3 p=4
pbkdf2_sha256 with 600000 iterations
SCRAM-SHA-256 selected
kty=RSA kid=abc
{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W","e":"AQAB","kid":"2011-04-29"}
{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}
{"d": 5, "k": "v", "p": 0.5, "q": "query text here"}
{"d":"2026-11-28T00:00:00Z","k":3}
{"type":"password","name":"pw","required":true}
{"type": "password", "value": ""}
{"type":"token","value":512}
{"id":"password","label":"Password","required":true}
{"field":"password","message":"is too short"}
{"field":"password","error":"required","code":"min_length"}
{"name":"password","type":"string","description":"the password of the user"}
{"label":"Token","value":"512"}
{"key":"max_tokens","value":4096}
{"key":"author","value":"Ada Lovelace"}
{"key":"a","value":"b"}
{"old":"x","new":"y","field":"title"}
{"path":"/spec/replicas","op":"replace","value":"3"}
{"pin":13,"mode":"out"}
{"pin":"A0","state":"high"}
{"gpio":{"pin":17}}
{"sid":3,"pid":12}
{"sid":"web"}
pin 4 is high, pin 17 low
pin=17 direction=out
Pin 2200 is not mapped
the pin is 17
pin: 13
pinned memory is 4096 MB
PIN required
Your PIN is wrong
enter your PIN
psw is not set
tok/s 12.5
tok=5 tok_per_s=12.5
tokens_per_second: 48.1
token_value: 0.5
token_values shape (3, 4)
tokenValue=5
token_data: [1, 2, 3]
tokenData=None
tokenString: hello
token_type=bearer
tokenType: "Bearer"
token_id=17 token_kind=word
access=read
access=denied
access: public
access=rw
refresh=30s
refresh=true
refresh: daily
refresh_rate=60
community=public
community: contributors
community edition 2.1
the community string is long
clave
la clave es importante
clave primaria
aws_key not set
consumer key missing
consumer=worker-1
crumb: home
breadcrumb=home
pem file loaded
pem: /etc/ssl/a.pem
id_rsa.pub copied
id_rsa: /root/.ssh/id_rsa
authcode not required
auth_code_ttl=300
unlock code required
seed=1234567890123
seed phrase is 12 words
random seed: 42
mnemonic: ADD
mnemonic="mov"
wifi_key_mgmt=WPA-PSK
key_mgmt=WPA-PSK
wep disabled
WPA-PSK
psk=none
kek rotated
data_key=name
data key: id
signature_key=alg
salt=8
salt: auto
password_salt_length=16
salt and pepper 3%
kek=0
passkey enabled
passkey: supported
passkeys=3
privkey missing
rootpw unset
keepass is installed
keepass=false
lockpass
mypw
bindpw not set
lowpass=2000 highpass=300
lowpass=f1200 highpass=f80
highpass=f200,lowpass=f3000
bandpass=f500w200
low_pass=b1
multipass=v2
compass=N23E
bypass=a1b2
renderpass=depth16f
subpass=0x1f
onepass=x264
pass=p1a2
trespass: no
Pass 1/2, frame 48
pass1.log written
pass 2: 48.1 fps
2pass_abr=v1
first pass took 3.2s
password field is required
password must contain 8 characters
Password: (hidden)
password: (unchanged)
password is stored as bcrypt2
the password is hashed with sha256
password for ada expired
password for user ada changed
password for ada: incorrect
Password for root@localhost changed
password of ada was changed by admin2
use password as usual
use oauth2 as password
set password2 to empty
the password is [hidden]
password [required]
password [optional]
password <password>
password <string>
password (8+ chars)
password (min 8)
password (optional)
password (default: none)
password (default "")
password -> password_hash
password -> hashed
token -> id
secret -> env
string -> password
~ password = (sensitive value)
+ password = (sensitive value)
+ token    = (known after apply)
- password = <sensitive>
password           = <computed>
"default" = "value"
variable "region" { default = "us-east-1" }
variable "password" {
variable "db_password" { type = string sensitive = true }
default = "x"
credentials: ada / none
credentials: file
credentials: default / cached
login: ada
login as ada
user/pass wrong
login failed for ada with pass 2
secret key is missing
the secret key is invalid
secret=true
secret ref: db/creds-v2
secret "db-creds-v2" created
secret/db-v2 configured
token is: valid
token is expired
token ring v2
invalid token "}"
invalid token at line 12
unexpected token 'x1' at 5
unknown token: abc
bad token 0x1f
token 0x7f at offset 12
token #12
token 'hello' not in vocabulary
token="hello"
token: the
token='▁world'
token=Ġthe
next token: foo123
tokens: ["hello", "world", "foo12"]
tokens = ["the", "cat"]
tokens: [101, 2023, 102]
special tokens: ["<s>", "</s>"]
tokens:
  - hello
  - world
secrets:
  - db
  - cache
secrets:
  - db_password
passwords:
  enabled: true
password:
  required: true
  min_length: 8
password:
    type: string
    format: password
password:
- required
- min
password: !!str
password: &default
password: *default
? password
token:
  name: x
token:
  type: string
credentials:
  file: /x
auth:
  enabled: true
auth:
  username: ada
api_key:
  secretKeyRef:
    name: x
    key: y
- name: DB_PASSWORD
  valueFrom:
    secretKeyRef:
      name: db
      key: password
- name: TOKEN_COUNT
  value: "512"
- name: MAX_TOKENS
  value: 4096
- name: LOG_LEVEL
  value: debug
- name: password
  type: string
- name: token
  in: header
  required: true
- name: DB_PASSWORD
  value: $(SECRET)
- name: DB_PASSWORD
  value: ""
- key: password
  path: my-password
- key: node-role.kubernetes.io/master
  value: x
Private-Lines
-----BEGIN CERTIFICATE-----
-----BEGIN CERTIFICATE REQUEST-----
---- BEGIN SSH2 PUBLIC KEY ----
private key
begin private key generation
-----begin
RWRTY signature verified
dg@host
sk_buff_head
sk_2024_report
ix_users_email
ix_token_created_at_20240101_unique_index_on_users_table
fw_version=1.2.3
fw_update_2024_stable
fw_3Z
as-built drawing, as-is
as-of-2024-01-01
ak-sk pair missing
ak-47
as-1234567890
st.session_state
st.0 st.1
s.strip().lower()
s.connect((host, port))
s.1234567890
s.abcdefghijklmnopqrstuvwx
self.s.abc
t1.micro
t1.start() t2.join()
cio: 5
cioxyz
circioabcd
2/3 done
1/1234567890123456
2/10 checks
xprvsomething
mfa.enabled=true
mfa.py
YCM
YCbCr 4:2:0
YCAFoo
YCbCrConversionYUV420Planar8bit
oauth:device
oauth:token
ES_256
ES_JAVA_OPTS=-Xmx1g
GOOG1E
SUBAM
NRAL
AAAA record for example.com
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D%3D
AAAAB3NzaC1yc2EAAAADAQABAAABgQC7vbqajDw4o6gJy8UtmIbkcpnk3O3Kwc4qsEnSZp
AZDO
project AZDO-1234 closed
t-g104 x
t-glass-1
token-bucket:40
token-abc:12
dbt_run=1 dbtc
dbt_utils.surrogate_key
ddpath
vercel_blob upload ok
hook.us1.make.com
https://hooks.example.com/x
https://mainnet.infura.io/
https://example.com/v2/abcdef
https://example.com/v3/0123456789abcdef0123456789abcdef
/reset-password
/reset-password/confirm
/password/reset/done
GET /token/refresh HTTP/1.1
GET /v1/secrets/db-password-2 HTTP/1.1
POST /api/token/ 200
Content-Disposition: form-data; name="file"; filename="a.png"
Content-Disposition: form-data; name="prompt"
X-Request-Id: 0123456789abcdef0123456789abcdef
x-amz-request-id: QWERTYUIOP123456
x-amz-id-2: eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran
X-Hub-Signature-256: missing
X-Content-Type-Options: nosniff
Fastly-Debug: 1
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Digest: SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=
integrity sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==
sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDRNkYVRqXMp4VlIwE
MD5 (a.mp4) = d41d8cd98f00b204e9800998ecf8427e
crc=cbf43926
etag="5d41402abc4b2a76b9719d911017c592-12"
fingerprint: 9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15
build id: 8f14e45fceea167a5a36dedd4bea2543
cache key: models/flux/3f2a1b
cache_key=v3-linux-node20-4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
partition_key=user#123 sort_key=2026-11
routing_key=jobs.encode.h264
idempotency_key=6f1c5c5e-2d0e-4c5b-9d3b-8f5b3c0a1e77
idempotency-key: 2f1c5c5e2d0e4c5b9d3b8f5b3c0a1e77
trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
request_id=req_01HZX3J5K6M7N8P9Q0R1S2T3V4
msg_01XFDUDYJgAACzvnptvVoYEL
chatcmpl-9abcDEFghiJKLmnoPQRstuVWX
run_2xWQ8pLmN0aBcDeFgHiJkLmN
file-abc123def456ghi789jkl012
cus_NffrFeUfNV2Hib pi_3MtwBwLkdIwHu7ix28a3tqPa price_1MoBy5LkdIwHu7ix
evt_1NG8Du2eZvKYlo2CUI79vXWy in_1MtHbELkdIwHu7ixl4OzzPMv
prod_NWjs8kKbJWmuuc sub_1MowQVLkdIwHu7ixeRlqHVzs
acct_1032D82eZvKYlo2C
01ARZ3NDEKTSV4RRFFQ69G5FAV
cjld2cjxh0000qzrmn831i7rn
2Zx9kQw1Lp0 (nanoid)
pod/api-7c5ddbdf54-8xk2p restarted
node ip-10-0-3-17.eu-west-1.compute.internal ready
replicaset.apps/web-6b86b273ff scaled
volume pvc-0f6a2c9e-1b7d-4c3f-9d7b-1e5f8a9c0b2d bound
container 3f4e8c9d1b2a started
i-0abcd1234efgh5678 vpc-0a1b2c3d subnet-9f8e7d6c
ami-0c55b159cbfafe1f0
projects/my-proj-123/locations/europe-west1/keyRings/r/cryptoKeys/k1/cryptoKeyVersions/3
arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
arn:aws:iam::123456789012:user/ada
/subscriptions/1b2c3d4e-0000-1111-2222-333344445555/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv1
tensor([[ 0.1234, -0.5678], [ 1.2345e-05, 6.7890]], device='cuda:0', dtype=torch.float16)
Parameter containing: torch.Size([4096, 4096])
array([4111111111111112, 12], dtype=int64)
tensor(4242424242424241)
loss=0.04111111111111111 grad_norm=5.105105105105105
step 4111 1111 1111 of run
ns 1764340024123456789 us 1764340024123456 ms 1764340024123
ts=1764340024.123456 pts=1764340024123 dts=4111111111111
duration_ns=4539578763621486 elapsed_us=378282246310005
mem=4539578763621486B
offset 4539578763621486 length 512
rss_bytes: 4539578763621486
order_id=4539578763621486
{"nonce":4539578763621486,"count":4539578763621486}
ISBN 9780306406157 EAN 4006381333931
EAN: 4006381333931
barcode 5901234123457
GTIN 00012345600012
tel +49 151 23456789
phone: 0151-2345678901
+1-202-555-0143 ext 12
VAT DE123456789
BIC DEUTDEFF500
LEI 5493001KJTIIGC8Y1R12
DE89 is not an account
IP 10.1.2.3 port 4111
2026-11-28 16:47:35,123 INFO worker.py:411 frame 1111
[2026-11-28T16:47:35Z] INFO 1111 2222 3333
1.2.3.4.5.6
4111.1111.1111.1112
v4.1.1.1
2001:db8:85a3::8a2e:370:7334
52.5200,13.4050
x=4539 y=5787 z=6362 w=1486
pixel 4539 5787 6362 1487
#FF5733 #a1b2c3
0xDEADBEEF 0x7ffd3c2a1b40
\u00e9 \x1b[0m
C:\Program Files\App\key.dll
/usr/lib/x86_64-linux-gnu/libsecret-1.so.0
/etc/pam.d/common-password
/etc/shadow- permission denied
~/.aws/credentials not found
/proc/keys
tokenizer.json tokenizer_config.json vocab.json merges.txt
Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4
meta-llama/Llama-3.1-8B-Instruct@main
model-00001-of-00004.safetensors
checkpoint-12000/pytorch_model.bin
ffmpeg version n7.0-12-gabcdef1234 Copyright (c) 2000-2024
Stream #0:0(und): Video: h264 (High) (avc1 / 0x31637661), yuv420p, 1920x1080 [SAR 1:1 DAR 16:9], 4500 kb/s
-c:v libx264 -pass 2 -passlogfile ffmpeg2pass -b:v 4M
-vf "lowpass=f=3000,highpass=f=200"
--pass-through --passes=2 --pass 2
--token-count 512 --key-frame 12
--user 1000:1000 -u 0:0
-p 8080:80 -p 443:443
-u root -p 3306
git log --author=ada --pretty=%H
ssh -i ~/.ssh/id_ed25519 -p 2222 ada@host
psql -h db -p 5432 -U ada shop
cqlsh -u cassandra host 9042
mongosh "mongodb://localhost:27017/x"
redis-cli -h h -p 6379 -n 2 ping
kubectl create secret generic db --from-file=password=./pw.txt
kubectl get secret db -o yaml
openssl rand -hex 32
openssl passwd -6
chpasswd: line 1: missing new password
echo done | sudo tee /etc/x
echo ok | sudo -n true
passwd: password updated successfully
su: Authentication failure
New password:
Retype new password:
Enter passphrase for key '/root/.ssh/id_rsa':
Enter password for ada@db:
Password will expire in 7 days
Last password change : Nov 28, 2026
Password expires : never
Password inactive : never
keepalive=30 keyboard=us keymap=de-latin1
author: Ada <ada@example.com>
Signed-off-by: Ada Lovelace <ada@example.com>
authors = ["Ada Lovelace <ada@example.com>"]
license = "Apache-2.0"
license key: none
author=ada2 authority=ca1
authn=oidc2 authz=rbac1
authenticated=true user=ada42
auth_method=key2
oauth2_proxy started
auth=ok2
session=web-1 started
session 3f2a1b opened for user ada
session_id=3f2a1b9c8d7e6f50
cookie_name=sid_v2
cookie: accepted
Cookies: 3 stored
Set-Cookie: theme=; Max-Age=0
csrf ok
nonce=abc123
state=abc123def456
code=E1234 status=OK
error_code=AUTH_001
exit_code=137
country_code=DE postal_code=10115
code challenge method S256
verification code expired
confirmation code: required
security code not set
OTP verified for ada
otp_length=6
cvv check: M
CVC match: yes
ssn field empty
card declined: insufficient_funds
card ending 4242
card **** 4242
card: visa
card 12 of 52
GPU card 0: NVIDIA H200
pan 12.5 tilt 3
PAN India network
cc: ada@example.com
iban: invalid
IBAN field is required
DE12 3456
connecting scott/db@v1
upload to team/alice@2024
maps/x-y@2x.png
icons/logo@2x.png
img/hero@3x.webp
a/b@c
path/to/file@12:30
dsn="ada@/shop"
user:pass@host format
smb: //srv/share
WIFI:T:nopass;S:guest;;
NickServ: IDENTIFY first
requirepass no
stats auth disabled
snmp-server location rack 12
enable secret is set
username ada privilege 15
(username, password) tuple expected
login(user, password)
setPassword(password)
set_password("password")
{password, token} = props
[password, token]
{password,"required"}
"password" "is" "required"
WiFi.begin(ssid, password)
client.setToken(token)
getToken("session")
config.get("db", "password")
config.set("db", "port", "5432")
os.environ["DB_PASSWORD"]
os.environ.get("DB_PASSWORD", "")
new NetworkCredential(user, pass)
SecureString password
ConvertTo-SecureString $password -AsPlainText
s:8:"password";N;
string(12) "hello world!"
["password"]=> NULL
[password] =>
$password
value {
key: "job_id"
Slice(["a","b"])
-> service.name: Str(encoder)
-> token.count: Int(512)
-> password.required: Bool(true)
map[host:h port:5432]
http.Header{"Accept":[]string{"*/*"}}
input_value={'port': 'x'}, input_type=dict
1 validation error for Settings: api_key Field required [type=missing, input_value={'port': 1}]
password  String should have at least 8 characters [type=string_too_short, input_value='', input_type=str]
clear text: Password (input)
«password»
‘token’ expired
密码错误，请重试
密码是必填项
パスワードは必須です
パスワードが正しくありません
пароль обязателен
contraseña requerida
mot de passe oublié
Kennwort vergessen?
Das Passwort ist abgelaufen
Das Passwort ist falsch
le mot de passe est requis
la contraseña es incorrecta
wachtwoord vergeten
"""
"""One a line."""
RECORDS: tuple[dict[str, Any], ...] = (
    {"token": "the"},
    {"token": "▁hello"},
    {"tokens": ["Hello", "world123"]},
    {"token": 5},
    {"tok": "ab12"},
    {"pin": 13},
    {"pin": "A0"},
    {"key": "k-1", "value": "hello"},
    {"name": "token_count", "value": "512"},
    {"args": ["password", "incorrect"]},
    {"argv": ["пароль", "неверный"]},
    {"argv": ["contraseña", "incorrecta"]},
    {"argv": ["Passwort", "falsch"]},
    {"argv": ["curl", "-u", '"$USER:$PASS"', "https://x"]},
    {"argv": ["frame", "4111111111111111", "of"]},
    {"argv": ["seed", "4111111111111111"]},
    {"a": ["token", "embedding", "position"]},
    {"argv": ["api_key:", '""']},
    {"argv": ["password={{", "vault.password", "}}"]},
    {"argv": ["int,", "password", "varchar(255)", "NOT"]},
    {"x": ['{"job_id":', '"4111111111111111"}']},
    {"cols": ["user", "password", "created_at"]},
    {"argv": ["PASS", "tests/x.py"]},
    {"argv": ["vault", "login", "failed"]},
    {"kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx", "e": "AQAB"},
    {"d": "abc", "k": "x"},
    {"type": "password", "value": ""},
    {"type": "secret", "id": "db"},
    {"label": "Password", "type": "text"},
    {"steps": [{"op": "add", "path": "/x", "value": "y"}]},
    {"id": "token", "text": "the"},
    {"id": "password", "text": "Please enter your password"},
    {"field": "password", "new": None},
    {"vocab": {"token": "hello", "id": 5}},
    {"logprobs": [{"token": "Hello", "logprob": -0.1, "bytes": [72]}, {"token": " world", "logprob": -0.3}]},
    {"top_logprobs": [{"token": "foo1", "logprob": -0.1}]},
    {"secret": True, "password": None},
    {"x": [1764340024123456789, 4111111111111112, 1.1]},
    {"headers": [["accept", "*/*"], ["host", "x1"]]},
    {"refresh": "30s", "access": "read"},
    {"pem": "/etc/a.pem"},
    {"community": "public"},
    {"error": {"code": "invalid_token", "message": "token expired"}},
    {"columns": ["id", "password"], "rows": [[1, None]]},
)
