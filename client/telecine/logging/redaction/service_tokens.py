"""Tokens of services, recognised by the letters they begin with.

Prefixes, alphabets and lengths are facts that services publish and that the rules of gitleaks (MIT) and of
Kingfisher 2.14 (Apache-2.0) list too; `docs/logging.md` names them.

Examples are written in pieces, so that this file holds no string that looks like a secret.
"""

from __future__ import annotations

import re

from telecine.logging.redaction.rules import Check, ValueRule

_ALNUM_40 = "a1B2c3D4e5F6g7H8i9J0" * 2
_HEX_32 = "0123456789abcdef" * 2
_UUID = "550e8400-e29b-41d4-a716-446655440000"


def token_rule(
    rule_id: str, prefixes: str, tail: str, example: str, *, spares: tuple[str, ...] = (), joins: bool = False
) -> ValueRule:
    """A token that begins with one of some prefixes, which stand apart by `|` or blanks."""
    begins = prefixes.split("|") if "|" in prefixes else prefixes.split()
    pattern = f"(?P<secret>(?:{'|'.join(map(re.escape, begins))}){tail})"
    return ValueRule(
        id=rule_id,
        pattern=pattern,
        hints=tuple(begin.lower() for begin in begins if " " not in begin),
        joins_underscore=joins,
        matches=tuple(begin + example for begin in begins[:2]),
        spares=(begins[0], *spares),
    )


_PREFIXED = (
    token_rule(
        "aws_access_key_id",
        "AKIA ASIA ABIA ACCA",
        r"[A-Z2-7]{16}",
        "IOSFODNN7EXAMPLE",
        spares=("AKIAlowercase0000000",),
    ),
    token_rule("aws_bedrock_key", "ABSK", r"[A-Za-z0-9+/]{80,269}={0,2}", _ALNUM_40 * 3),
    token_rule("aws_session_token", "IQoJb3JpZ2lu", r"[A-Za-z0-9+/=_-]{80,4096}", _ALNUM_40 * 3),
    token_rule("google_api_key", "AIza", r"[0-9A-Za-z_-]{35}", _ALNUM_40[:35]),
    token_rule("google_gemini_key", "AQ.Ab8RN6", r"[A-Za-z0-9_-]{44}", _ALNUM_40 + "abcd"),
    token_rule("google_oauth", "ya29.", r"[0-9A-Za-z_-]{20,2048}", _ALNUM_40),
    token_rule("google_refresh_token", "1//0", r"[0-9A-Za-z_-]{40,256}", _ALNUM_40),
    token_rule("google_client_secret", "GOCSPX-", r"[A-Za-z0-9_-]{20,64}", _ALNUM_40[:28]),
    token_rule("digitalocean_token", "dop_v1_ doo_v1_ dor_v1_", r"[a-f0-9]{64}", _HEX_32 * 2),
    token_rule("vault_token", "hvs. hvb. hvr.", r"[A-Za-z0-9_-]{24,512}", _ALNUM_40),
    token_rule("databricks_token", "dapi", r"[0-9a-f]{32}", _HEX_32),
    token_rule("telecine_key", "tlc_", r"[a-z0-9]{12}_[A-Za-z0-9_-]{43}", "k1" * 6 + f"_{_ALNUM_40}a-_"),
    token_rule("age_secret_key", "AGE-SECRET-KEY-1", r"[0-9A-Z]{58}", "Q2W3E4R5T6" * 6),
    token_rule("alibaba_key", "LTAI", r"[A-Za-z0-9]{16,24}", _ALNUM_40[:20]),
    token_rule("exoscale_key", "EXO", r"[a-f0-9]{24,30}", _HEX_32[:26]),
    token_rule("heroku_key", "HRKU-AA HRKU-", r"[0-9a-zA-Z_-]{58,60}", _ALNUM_40 + _ALNUM_40[:18]),
    token_rule("upcloud_token", "ucat_", r"[0-9A-Za-z]{24,32}", _ALNUM_40[:26]),
    token_rule(
        "fly_token", "FlyV1 fm1_|FlyV1 fm2_|fm1_|fm2_|fo1_", r"[A-Za-z0-9=_/+,.-]{40,4096}", _ALNUM_40 * 2
    ),
    token_rule("openshift_token", "sha256~", r"[A-Za-z0-9_-]{43}", _ALNUM_40 + "abc"),
    token_rule(
        "docker_swarm_key", "SWMTKN-1- SWMKEY-1-", r"[A-Za-z0-9+/-]{40,96}", _ALNUM_40 + "-" + _ALNUM_40
    ),
    token_rule("huggingface_token", "hf_ api_org_", r"[A-Za-z0-9]{30,64}", _ALNUM_40[:34]),
    token_rule("replicate_token", "r8_", r"[A-Za-z0-9]{35,64}", _ALNUM_40[:37]),
    token_rule("groq_key", "gsk_", r"[A-Za-z0-9]{40,64}", _ALNUM_40 + _ALNUM_40[:12]),
    token_rule("nvidia_key", "nvapi-", r"[A-Za-z0-9_-]{40,128}", _ALNUM_40),
    token_rule("xai_key", "xai-", r"[A-Za-z0-9_-]{40,128}", _ALNUM_40),
    token_rule("perplexity_key", "pplx-", r"[A-Za-z0-9]{40,64}", _ALNUM_40),
    token_rule("cerebras_key", "csk-", r"[a-z0-9]{48}", _HEX_32 + _HEX_32[:16]),
    token_rule("together_key", "tgp_v1_", r"[A-Za-z0-9_-]{40,48}", _ALNUM_40 + "abc"),
    token_rule(
        "pinecone_key", "pcsk_", r"[A-Za-z0-9]{5,6}_[A-Za-z0-9]{60,66}", "a1B2c_" + _ALNUM_40 + _ALNUM_40[:23]
    ),
    token_rule("tavily_key", "tvly-", r"[A-Za-z0-9-]{30,64}", _ALNUM_40),
    token_rule("llamacloud_key", "llx-", r"[A-Za-z0-9]{44,52}", _ALNUM_40 + "abcdef12"),
    token_rule("brave_key", "BSA", r"[A-Za-z0-9_-]{27,40}", _ALNUM_40[:28]),
    token_rule("langsmith_key", "lsv2_pt_ lsv2_sk_", r"[A-Za-z0-9_]{32,64}", _HEX_32),
    token_rule(
        "langfuse_key",
        "sk-lf- pk-lf-",
        r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        _UUID,
    ),
    token_rule("wandb_key", "wandb_v1_", r"[A-Za-z0-9_]{40,96}", _ALNUM_40 * 2),
    token_rule("runpod_key", "rpa_", r"[A-Za-z0-9]{30,48}", _ALNUM_40 + "ABCDEF"),
    token_rule("logfire_token", "pylf_v1_", r"[a-z]{2}_[A-Za-z0-9]{40,64}", "us_" + _ALNUM_40),
    token_rule("cartesia_key", "sk_car_", r"[A-Za-z0-9_]{20,40}", _ALNUM_40[:22]),
    token_rule("github_token", "ghp_ gho_ ghu_ ghs_ ghr_", r"[A-Za-z0-9]{36,255}", _ALNUM_40[:36]),
    token_rule("github_fine_grained", "github_pat_", r"[A-Za-z0-9_]{40,255}", _ALNUM_40),
    token_rule(
        "gitlab_token",
        "glpat- gldt- glrt- glft- glcbt- glptt- glsoat- glffct- glimt- glagent- gloas- GR1348941",
        r"[A-Za-z0-9_.-]{20,300}",
        _ALNUM_40[:20],
    ),
    token_rule("bitbucket_token", "ATBB BBDC-", r"[A-Za-z0-9+/=]{28,64}", _ALNUM_40[:32]),
    token_rule("atlassian_token", "ATATT3 ATCTT3 ATSTT3", r"[A-Za-z0-9_=-]{60,255}", _ALNUM_40 * 2),
    token_rule("npm_token", "npm_", r"[A-Za-z0-9]{36}", _ALNUM_40[:36]),
    token_rule("pypi_token", "pypi-AgE", r"[A-Za-z0-9_-]{50,512}", _ALNUM_40 * 2),
    token_rule("rubygems_key", "rubygems_", r"[a-f0-9]{48}", _HEX_32 + _HEX_32[:16]),
    token_rule("nuget_key", "oy2", r"[a-z0-9]{43}", _HEX_32 + "0123456789a"),
    token_rule("clojars_token", "CLOJARS_", r"[a-z0-9]{60}", _HEX_32 + _HEX_32[:28]),
    token_rule(
        "packagist_token",
        "packagist_ort_ packagist_out_ packagist_acs_ packagist_ack_",
        r"[0-9a-f]{28,96}",
        _HEX_32,
    ),
    token_rule("docker_token", "dckr_pat_ dckr_oat_", r"[A-Za-z0-9_-]{20,64}", _ALNUM_40[:27]),
    token_rule("artifactory_token", "AKCp cmVmd", r"[A-Za-z0-9]{56,70}", _ALNUM_40 + _ALNUM_40[:28]),
    token_rule(
        "circleci_token",
        "CCIPAT_ CCIPRJ_",
        r"[A-Za-z0-9]{22}_[a-f0-9]{40}",
        _ALNUM_40[:22] + "_" + _HEX_32 + _HEX_32[:8],
    ),
    token_rule(
        "buildkite_token",
        "bkua_ bkaa_ bkaj_ bkar_ bkct_ bkpt_ bkpat_ bkps_",
        r"[A-Za-z0-9_-]{40,340}",
        _ALNUM_40,
    ),
    token_rule("sonar_token", "squ_ sqp_ sqa_", r"[0-9a-f]{40}", _HEX_32 + _HEX_32[:8]),
    token_rule("sourcegraph_token", "sgp_", r"[A-Za-z0-9_]{40,64}", _ALNUM_40),
    token_rule(
        "slack_token",
        "xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xapp- xoxe.xoxp- xoxe.xoxb-",
        r"[0-9A-Za-z%/+=-]{10,255}",
        "123456789012-abcDEF",
    ),
    token_rule(
        "stripe_key",
        "sk_live_ sk_test_ sk_sbox_ rk_live_ rk_test_ sk_prod_ rk_prod_",
        r"[0-9A-Za-z]{10,255}",
        _ALNUM_40[:24],
        spares=("risk_live_1234567890abcdef",),
    ),
    token_rule("stripe_webhook_secret", "whsec_", r"[0-9A-Za-z+/=]{16,128}", _ALNUM_40[:32]),
    token_rule("square_token", "sq0atp- sq0csp- EAAA", r"[0-9A-Za-z_-]{22,64}", _ALNUM_40[:30]),
    token_rule(
        "sendgrid_key",
        "SG.",
        r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
        _ALNUM_40[:22] + "." + _ALNUM_40 + "abc",
    ),
    token_rule("mailgun_key", "key-", r"[0-9a-f]{32}", _HEX_32, spares=("monkey-" + _HEX_32,), joins=True),
    token_rule("mailersend_token", "mlsn.", r"[A-Za-z0-9]{30,100}", _HEX_32 * 2),
    token_rule(
        "brevo_key", "xkeysib- xsmtpsib-", r"[a-f0-9]{64}-[A-Za-z0-9]{16}", _HEX_32 * 2 + "-" + _ALNUM_40[:16]
    ),
    token_rule("shopify_token", "shpat_ shpca_ shppa_ shpss_", r"[0-9a-fA-F]{32}", _HEX_32),
    token_rule("shippo_token", "shippo_live_ shippo_test_", r"[a-fA-F0-9]{40}", _HEX_32 + _HEX_32[:8]),
    token_rule("easypost_key", "EZAK EZTK", r"[A-Za-z0-9]{54}", _ALNUM_40 + _ALNUM_40[:14]),
    token_rule("duffel_token", "duffel_test_ duffel_live_", r"[A-Za-z0-9_=-]{43}", _ALNUM_40 + "abc"),
    token_rule(
        "flutterwave_key", "FLWSECK_TEST- FLWSECK- FLWPUBK_TEST-", r"[A-Za-z0-9]{12,64}", _HEX_32[:24]
    ),
    token_rule("razorpay_key", "rzp_live_ rzp_test_", r"[A-Za-z0-9]{14}", _ALNUM_40[:14]),
    token_rule("xendit_key", "xnd_production_ xnd_development_", r"[A-Za-z0-9]{40,80}", _ALNUM_40 * 2),
    token_rule("asaas_token", "$aact_prod_ $aact_hmlg_", r"[A-Za-z0-9_-]{20,200}", _ALNUM_40),
    token_rule(
        "paddle_key",
        "pdl_live_apikey_ pdl_sdbx_apikey_",
        r"[A-Za-z0-9_]{40,80}",
        _ALNUM_40 + "_" + _ALNUM_40[:20],
    ),
    token_rule("grafana_token", "glsa_ glc_ eyJrIjoi", r"[A-Za-z0-9+/_=]{32,400}", _ALNUM_40),
    token_rule("sentry_token", "sntrys_ sntryu_", r"[A-Za-z0-9+/_=.-]{40,512}", _HEX_32 * 2),
    token_rule("new_relic_key", "NRAK- NRII- NRJS- NRRA-", r"[A-Za-z0-9_-]{19,64}", _ALNUM_40[:32]),
    token_rule(
        "dynatrace_token",
        "dt0c01. dt0s01. dt0s16.",
        r"[A-Z0-9]{8,24}\.[A-Z0-9]{64}",
        "Q2W3E4R5T6Y7U8I9O0P1Q2W3." + "Q2W3E4R5" * 8,
    ),
    token_rule("posthog_key", "phx_ phc_", r"[A-Za-z0-9_-]{41,49}", _ALNUM_40 + "abc"),
    token_rule("honeycomb_key", "hcaik_ hcalk_", r"[a-z0-9]{20,64}", _HEX_32),
    token_rule("elastic_key", "essu_", r"[A-Za-z0-9_=-]{60,200}", _ALNUM_40 * 2),
    token_rule("supabase_token", "sbp_ sb_secret_", r"[A-Za-z0-9_-]{30,64}", _HEX_32 + "01234567"),
    token_rule("neon_key", "napi_", r"[A-Za-z0-9]{64}", _ALNUM_40 + _ALNUM_40[:24]),
    token_rule(
        "planetscale_token", "pscale_tkn_ pscale_oauth_ pscale_pw_", r"[A-Za-z0-9_=.-]{32,64}", _ALNUM_40
    ),
    token_rule("mongodb_service_secret", "mdb_sa_sk_", r"[A-Za-z0-9_-]{40}", _ALNUM_40),
    token_rule("astra_token", "AstraCS:", r"[A-Za-z0-9:]{20,128}", _ALNUM_40),
    token_rule(
        "cockroach_key", "CCDB1_", r"[A-Za-z0-9]{22}_[A-Za-z0-9]{40}", _ALNUM_40[:22] + "_" + _ALNUM_40
    ),
    token_rule("clickhouse_key", "4b1d", r"[A-Za-z0-9]{38}", _ALNUM_40[:38], spares=(_HEX_32,)),
    token_rule("cloudflare_token", "cfut_ cfat_ cfk_", r"[A-Za-z0-9]{40}[a-f0-9]{8}", _ALNUM_40 + "01234567"),
    token_rule(
        "cloudflare_origin_key",
        "v1.0-",
        r"[a-f0-9]{24}-[a-f0-9]{146}",
        _HEX_32[:24] + "-" + _HEX_32 * 4 + _HEX_32[:18],
    ),
    token_rule("netlify_token", "nfp_ nfc_ nfo_ nfu_", r"[A-Za-z0-9_-]{36,64}", _ALNUM_40),
    token_rule(
        "vercel_token", "vcp_ vca_ vcr_ vci_ vck_", r"[A-Za-z0-9_-]{50,64}", _ALNUM_40 + _ALNUM_40[:16]
    ),
    token_rule("deno_token", "ddp_ ddo_", r"[A-Za-z0-9]{36}", _ALNUM_40[:36]),
    token_rule("render_key", "rnd_", r"[A-Za-z0-9]{28,40}", _ALNUM_40[:28]),
    token_rule("pulumi_token", "pul-", r"[a-f0-9]{40}", _HEX_32 + _HEX_32[:8]),
    token_rule("prefect_token", "pnu_ pnb_", r"[A-Za-z0-9]{36}", _ALNUM_40[:36]),
    token_rule(
        "doppler_token",
        "dp.st. dp.pt. dp.ct. dp.sa. dp.scim. dp.audit.",
        r"(?:[a-z0-9._-]{2,35}\.)?[A-Za-z0-9]{40,44}",
        "prd." + _ALNUM_40 + "abc",
    ),
    token_rule("onepassword_token", "ops_eyJ", r"[A-Za-z0-9+/_-]{100,2048}={0,3}", _ALNUM_40 * 7),
    token_rule(
        "onepassword_key",
        "A3-",
        r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
        "ASWWYB-798JRYLJVD4-23DC2-86TVM-H43EB",
    ),
    token_rule("infracost_key", "ico-", r"[A-Za-z0-9]{32}", _ALNUM_40[:32]),
    token_rule(
        "tailscale_key",
        "tskey-",
        r"[a-z]{3,10}-[A-Za-z0-9]{8,24}-[A-Za-z0-9]{16,40}",
        "auth-kFGiAS2CNTRL-" + _ALNUM_40[:26],
    ),
    token_rule("zuplo_key", "zpka_", r"[a-z0-9]{32}_[0-9a-f]{8}", _HEX_32 + "_01234567"),
    token_rule("linear_key", "lin_api_ lin_oauth_", r"[A-Za-z0-9]{40,64}", _ALNUM_40),
    token_rule("notion_token", "ntn_", r"[A-Za-z0-9]{40,64}", _ALNUM_40),
    token_rule("figma_token", "figd_ figo_ figr_", r"[A-Za-z0-9_-]{38,64}", _ALNUM_40),
    token_rule(
        "postman_key", "PMAK-", r"[a-fA-F0-9]{24}-[a-fA-F0-9]{34}", _HEX_32[:24] + "-" + _HEX_32 + "01"
    ),
    token_rule("postman_collection_token", "PMAT-", r"[A-Z0-9]{26}", "Q2W3E4R5T6Y7U8I9O0P1Q2W3E4"),
    token_rule("contentful_token", "CFPAT-", r"[A-Za-z0-9_-]{43}", _ALNUM_40 + "abc"),
    token_rule("typeform_token", "tfp_", r"[A-Za-z0-9_.=-]{44,64}", _ALNUM_40 + "_" + _ALNUM_40[:18]),
    token_rule(
        "snyk_token", "snyk_uat. snyk_sat.", r"[0-9a-f]{8}\.[A-Za-z0-9_.-]{30,120}", "1a2b3c4d." + _ALNUM_40
    ),
    token_rule("clickup_token", "pk_", r"[0-9]{6,10}_[A-Z0-9]{32}", "12345678_" + "Q2W3E4R5T6Y7U8I9" * 2),
    token_rule("tencent_key", "AKID", r"[A-Za-z0-9]{32}", _ALNUM_40[:32]),
    token_rule("luma_key", "luma-", r"[0-9a-f-]{60,100}", _HEX_32 + "-" + _HEX_32),
    token_rule(
        "braintree_token",
        "access_token$production$ access_token$sandbox$",
        r"[0-9a-z]{16}\$[0-9a-f]{32}",
        "a1b2c3d4e5f6g7h8$" + _HEX_32,
    ),
    token_rule("readme_key", "rdme_", r"[a-z0-9]{70}", _HEX_32 * 2 + "012345"),
    token_rule("frameio_token", "fio-u-", r"[A-Za-z0-9_=-]{64}", _ALNUM_40 + _ALNUM_40[:24]),
    token_rule("adobe_secret", "p8e-", r"[A-Za-z0-9]{32}", _ALNUM_40[:32]),
    token_rule("canva_secret", "cnvca", r"[A-Za-z0-9_-]{51}", _ALNUM_40 + "abcdefghijk"),
    token_rule("intra42_secret", "s-s4t2ud- s-s4t2af-", r"[a-f0-9]{64}", _HEX_32 * 2),
    token_rule("octopus_key", "API-", r"[A-Z0-9]{26,36}", "Q2W3E4R5T6Y7U8I9O0P1Q2W3E4"),
    token_rule("scalingo_token", "tk-us-", r"[A-Za-z0-9_-]{48}", _ALNUM_40 + "abcdefgh"),
    token_rule("rootly_key", "rootly_", r"[a-f0-9]{64}", _HEX_32 * 2),
    token_rule("facebook_token", "EAAC EAAM EAAB EAAG", r"[A-Za-z0-9]{90,300}", _ALNUM_40 * 3),
    token_rule(
        "linkedin_secret",
        "WPL_AP1.",
        r"[A-Za-z0-9]{12,24}\.[A-Za-z0-9+/=]{6,12}",
        "a1B2c3D4e5F6g7H8." + "aBc12345==",
    ),
    token_rule(
        "resend_key",
        "re_",
        r"[1-9A-HJ-NP-Za-km-z]{8}_[1-9A-HJ-NP-Za-km-z]{24}",
        "a1B2c3D4_a1B2c3D4e5F6g7H8i9J2a1B2",
    ),
    token_rule("apify_token", "apify_api_", r"[A-Za-z0-9]{34,38}", _ALNUM_40[:36]),
    token_rule("samsara_key", "samsara_api_", r"[A-Za-z0-9]{26,40}", _ALNUM_40[:30]),
    token_rule("onesignal_key", "os_v2_app_ os_v2_org_", r"[a-z2-7]{103}", "abcdefg2" * 12 + "abcdefg"),
    token_rule("polar_token", "polar_at_ polar_oat_ polar_pat_", r"[A-Za-z0-9_-]{20,100}", _ALNUM_40),
    token_rule("mergify_key", "mergify_application_key_", r"[A-Za-z0-9_-]{40,200}", _ALNUM_40),
    token_rule("devcycle_key", "dvc_server_ dvc_client_ dvc_mobile_", r"[A-Za-z0-9_-]{16,64}", _ALNUM_40),
    token_rule("aikido_key", "AIK_CI_ AIK_CLIENT_ AIK_SECRET_", r"[A-Za-z0-9]{20,64}", _ALNUM_40[:30]),
    token_rule("ramp_secret", "ramp_sec_ ramp_id_", r"[A-Za-z0-9]{40,48}", _ALNUM_40 + "abcdefgh"),
    token_rule("nylas_key", "nyk_", r"[A-Za-z0-9]{60,70}", _ALNUM_40 + _ALNUM_40[:27]),
    token_rule("cloudsmith_key", "csa_", r"[a-f0-9]{30}[A-Za-z0-9]{6}", _HEX_32 + "abcd"),
    token_rule("devin_key", "apk_user_ apk_ cog_", r"[A-Za-z0-9+/]{52,180}={0,2}", _ALNUM_40 * 2 + "abcd"),
    token_rule("onfido_token", "api_live_ca. api_live_us. api_live.", r"[A-Za-z0-9_-]{20,80}", _ALNUM_40),
    token_rule("pinterest_token", "pina_", r"[A-Za-z0-9_-]{20,200}", _ALNUM_40),
    token_rule("lichess_token", "lip_", r"[A-Za-z0-9]{20,60}", _ALNUM_40[:24]),
    token_rule("settlemint_token", "sm_aat_ sm_pat_ sm_sat_", r"[A-Za-z0-9]{16}", _ALNUM_40[:16]),
    token_rule(
        "mercury_token",
        "mercury_production_",
        r"[a-z]{3,6}_[A-Za-z0-9]{40,50}_yrucrem",
        "rma_" + _ALNUM_40 + "_yrucrem",
    ),
    token_rule("wakatime_key", "waka_", r"[a-f0-9-]{36,64}", _UUID),
    token_rule("unkey_key", "unkey_", r"[A-Za-z0-9]{20,32}", _ALNUM_40[:24]),
    token_rule("val_town_token", "vtwn_", r"[A-Za-z0-9_-]{20,80}", _ALNUM_40),
    token_rule("thunderstore_token", "tss_", r"[A-Za-z0-9_-]{20,80}", _ALNUM_40),
    token_rule(
        "plaid_token", "access-sandbox- access-production- access-development-", r"[a-f0-9-]{36}", _UUID
    ),
    token_rule("hubspot_token", "pat-na1- pat-eu1- pat-na2- pat-ap1-", r"[a-f0-9-]{36}", _UUID),
    token_rule(
        "launchdarkly_key",
        "sdk- mob- api-",
        r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[a-f0-9]{4}-[a-f0-9]{12}",
        "550e8400-e29b-41d4-a716-446655440000",
        joins=True,
    ),
    token_rule("adafruit_key", "aio_", r"[A-Za-z0-9]{28}", _ALNUM_40[:28]),
    token_rule("yandex_key", "AQVN y0_Ag t1.9eu", r"[A-Za-z0-9_=.-]{35,256}", _ALNUM_40),
    token_rule("dropbox_token", "sl.u. sl.B", r"[A-Za-z0-9_-]{60,2048}", _ALNUM_40 * 4),
    token_rule("ionic_token", "ion_", r"[A-Za-z0-9]{42}", _ALNUM_40 + "ab"),
    token_rule(
        "configcat_key",
        "configcat-sdk-1/",
        r"[A-Za-z0-9_-]{22}/[A-Za-z0-9_-]{22}",
        _ALNUM_40[:22] + "/" + _ALNUM_40[:22],
    ),
    token_rule("aws_bedrock_short_key", "bedrock-api-key-", r"[A-Za-z0-9+/=]{40,4096}", _ALNUM_40),
    token_rule("elevenlabs_key", "sk_", r"[0-9a-f]{48}", _HEX_32 + _HEX_32[:16], joins=True),
    token_rule(
        "runway_key",
        "key_",
        r"[0-9a-f]{64,128}",
        _HEX_32 * 4,
        spares=("key_" + _HEX_32, "cache_key_" + _HEX_32 * 2),
        joins=True,
    ),
)

_FORMED = (
    ValueRule(
        id="sk_key",
        hints=("sk-",),
        pattern=r"(?P<secret>[cp]?sk-[A-Za-z0-9_-]{20,65536})",
        trigger=r"(?:[^A-Za-z0-9_]|\\[nrtfb]|_)[cp]?sk-[A-Za-z0-9_-]{20}",
        check=Check.HAS_DIGIT,
        matches=("sk-" + "proj-" + _ALNUM_40, "sk-" + "ant-api03-" + _ALNUM_40, "key sk-" + _ALNUM_40),
        spares=(
            "task-0123456789abcdef0123456789",
            "sk-learn",
            "/models/disk-0123456789abcdef01234567",
            "class sk-loading-indicator-container",
            "sk-fading-circle-12-of-the-page",
        ),
    ),
    ValueRule(
        id="discord_token",
        pattern=r"(?P<secret>[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45})",
        anchor=r"[MNO][A-Za-z0-9_-]{23,27}\.",
        hints=(".",),
        # One character before the dot: a row of them would keep an engine busy in every word.
        trigger=r"[A-Za-z0-9_-]\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}",
        check=Check.HAS_DIGIT,
        matches=("MTk4NjIyNDgzNDcxOTI1MjQ4." + "Cl2FMQ." + "ZnCjm1XVW7vRze4b7Cq4se7kKWs",),
        spares=("Module.method.argument", "NetworkConfigurationManager.create.something"),
    ),
    ValueRule(
        id="telegram_bot",
        hints=(":aa",),
        pattern=r"(?:bot)?(?P<secret>[0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?![A-Za-z0-9_-])",
        anchor=r"(?:bot)?[0-9]{8,10}:AA",
        trigger=r"\d:AA[A-Za-z0-9_-]{33}",
        matches=(
            "123456789:AA" + _ALNUM_40[:33],
            "https://api.telegram.org/bot" + "123456789:AA" + _ALNUM_40[:33] + "/getMe",
        ),
        spares=("20261128:All", "12345678:A" + _ALNUM_40),
    ),
    ValueRule(
        id="azure_client_secret",
        hints=("q~",),
        pattern=r"(?P<secret>[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})",
        anchor=r"[A-Za-z0-9_~.]{3}[0-9]Q~",
        matches=("abc8Q~" + _ALNUM_40[:34],),
    ),
    ValueRule(
        id="azure_storage_key",
        hints=("==",),
        pattern=r"(?<!sha512-)(?P<secret>[A-Za-z0-9+/]{86}==)",
        anchor=r"[A-Za-z0-9+/]{86}==",
        trigger=r"[A-Za-z0-9+/]{8}==",
        check=Check.RANDOM,
        matches=(_ALNUM_40 + _ALNUM_40 + "aB+/c1==",),
        spares=("a" * 40 + "==",),
    ),
    ValueRule(
        id="terraform_token",
        hints=(".atlasv1.",),
        pattern=r"(?P<secret>[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70})",
        anchor=r"[A-Za-z0-9]{14}\.atlasv1\.",
        matches=("a1B2c3D4e5F6g7.atlasv1." + _ALNUM_40 + _ALNUM_40[:24],),
    ),
    ValueRule(
        id="airtable_token",
        hints=("pat",),
        pattern=r"(?P<secret>pat[A-Za-z0-9]{14}\.[a-f0-9]{64})",
        trigger=r"pat[A-Za-z0-9]{14}\.[a-f0-9]{16}",
        matches=("pata1B2c3D4e5F6g7." + _HEX_32 * 2,),
        spares=("path.to.something", "pattern.match"),
    ),
    ValueRule(
        id="harness_token",
        hints=("pat.", "sat."),
        pattern=r"(?P<secret>[ps]at\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20})",
        matches=("pat." + _ALNUM_40[:22] + "." + _HEX_32[:24] + "." + _ALNUM_40[:20],),
    ),
    ValueRule(
        id="maxmind_key",
        hints=("_mmk",),
        pattern=r"(?P<secret>[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk)",
        anchor=r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",
        matches=("a1B2c3_" + _ALNUM_40[:29] + "_mmk",),
    ),
    ValueRule(
        id="mailchimp_key",
        hints=("-us",),
        pattern=r"(?P<secret>[0-9a-f]{32}-us[0-9]{1,2})(?![A-Za-z0-9-])",
        anchor=r"[0-9a-f]{32}-us[0-9]",
        trigger=r"[0-9a-f]{16}-us[0-9]",
        matches=(_HEX_32 + "-us12",),
        spares=("eu-west-1-us", _HEX_32 + "-use1"),
    ),
    ValueRule(
        id="twilio_key",
        hints=("sk",),
        pattern=r"(?P<secret>SK[0-9a-f]{32})(?![A-Za-z0-9])",
        trigger=r"SK[0-9a-f]{32}",
        anchor=r"SK[0-9a-f]{4}",
        matches=("SK" + _HEX_32,),
    ),
    ValueRule(
        id="facebook_app_token",
        hints=("|",),
        pattern=r"(?P<secret>[0-9]{15,16}\|[0-9A-Za-z_-]{27,40})(?![A-Za-z0-9|-])",
        anchor=r"[0-9]{15,16}\|",
        trigger=r"[0-9]{15}\|[0-9A-Za-z_-]{27}",
        check=Check.HAS_DIGIT,
        matches=("123456789012345|" + _ALNUM_40[:27],),
        spares=("1764322265123456|frame|ok",),
    ),
    ValueRule(
        id="salesforce_token",
        hints=("!",),
        pattern=r"(?P<secret>00D[A-Za-z0-9]{12}![A-Za-z0-9._-]{80,260})",
        anchor=r"00D[A-Za-z0-9]{12}!",
        trigger=r"00D[A-Za-z0-9]{12}![A-Za-z0-9._-]{16}",
        matches=("00D5e000001abcd!" + _ALNUM_40 * 3,),
    ),
    ValueRule(
        id="jwt_in_base64",
        hints=("zxlk",),
        pattern=r"(?P<secret>ZXlK[A-Za-z0-9+/_-]{60,65536}={0,2})",
        matches=("ZXlKaGJHY2lPaUpJVXpJMU5pSjku" + _ALNUM_40 * 2,),
    ),
    ValueRule(
        id="fal_key",
        hints=("-",),
        pattern=r"(?P<secret>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:[0-9a-f]{32})",
        anchor=r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:",
        # Of the forms that find the same, the one that costs Hyperscan least, by far.
        trigger=r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:",
        matches=(_UUID + ":" + _HEX_32,),
        spares=(_UUID, _UUID + ":0", "sha:" + _HEX_32),
    ),
    ValueRule(
        id="slack_webhook",
        hints=("hooks.slack.com",),
        pattern=r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9+/]{20,128})",
        trigger=r"hooks\.slack\.com/",
        needs_left_edge=False,
        matches=("https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",),
    ),
    ValueRule(
        id="discord_webhook",
        hints=("/api/webhooks/",),
        pattern=r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{15,20}/(?P<secret>[A-Za-z0-9_-]{60,80})",
        trigger=r"/webhooks/",
        needs_left_edge=False,
        matches=("https://discord.com/api/webhooks/" + "123456789012345678/" + _ALNUM_40 + _ALNUM_40[:28],),
    ),
    ValueRule(
        id="teams_webhook",
        hints=("/incomingwebhook/",),
        pattern=r"/IncomingWebhook/(?P<secret>[A-Za-z0-9]{32}/[A-Za-z0-9-]{36})",
        trigger=r"/IncomingWebhook/",
        needs_left_edge=False,
        matches=("https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/" + _HEX_32 + "/" + _UUID,),
    ),
    ValueRule(
        id="zapier_webhook",
        hints=("hooks.zapier.com",),
        pattern=r"hooks\.zapier\.com/hooks/catch/(?P<secret>[A-Za-z0-9]{4,16}/[A-Za-z0-9]{5,16})",
        trigger=r"hooks\.zapier\.com",
        needs_left_edge=False,
        matches=("https://hooks.zapier.com/hooks/catch/" + "123456/a1b2c3d/",),
    ),
)

SERVICE_TOKENS = (*_PREFIXED, *_FORMED)
"""All of them."""
