"""Problems with the Grafana that tenants look at."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

GRAFANA: Final = {
    "grafana-away": Problem(
        "Grafana does not answer",
        "It is down, restarting, too slow, or its database is locked.",
        "The tenant's workspace waits; what stands in Grafana stays as it is. Databases and uploads go on.",
        "Nothing, if it comes back: everything is tried again by itself. Else look at Grafana's own log.",
    ),
    "grafana-changed": Problem(
        "It changed in Grafana at the same moment",
        "Somebody saved a dashboard or a data source while Belvedere was about to write it.",
        "Nothing was written over.",
        "Nothing: it is read again and compared.",
    ),
    "grafana-login": Problem(
        "Grafana does not know the login",
        "The administrator's password was changed, or five wrong ones have locked the login for five minutes.",
        "Workspaces are neither made nor repaired. No more wrong passwords are sent for five minutes.",
        "Set GRAFANA_USER and GRAFANA_PASSWORD to a server administrator of Grafana, and start again.",
    ),
    "grafana-rights": Problem(
        "Grafana does not allow it",
        "The login is no server administrator, or was taken out of a tenant's organisation.",
        "The step was not done. A missing membership is mended by the next plan.",
        "Make the login a server administrator: `grafana cli admin`, or Grafana's page of users.",
    ),
    "grafana-address": Problem(
        "What answers is not Grafana",
        "A proxy or log-in page answers, the address redirects, its certificate is not trusted, or a proxy takes the "
        "header X-Grafana-Org-Id away.",
        "Nothing was written.",
        "Set GRAFANA_BASE_URL to the address that people use, with its path; name an own authority's certificate in "
        "BELVEDERE_GRAFANA_CA_FILE.",
    ),
    "grafana-missing": Problem(
        "The tenant's workspace is in a Grafana that is not set",
        "The tenant was given a place in Grafana, and address, login or password of it are gone from the settings.",
        "Its workspace is neither repaired nor removed.",
        "Set GRAFANA_BASE_URL, GRAFANA_USER and GRAFANA_PASSWORD again, and start again.",
    ),
    "grafana-shared": Problem(
        "The organisation that tenants share is not there",
        "Its number stands in the settings, and Grafana has no organisation of that number.",
        "Workspaces of tier `team` are neither made nor repaired.",
        "Set BELVEDERE_GRAFANA_SHARED to the number of one that is there, or to a name, which is made.",
    ),
    "grafana-operators": Problem(
        "The operators' organisation is none of theirs",
        "BELVEDERE_GRAFANA_OPERATORS names an organisation that is not there, or one in which tenants look.",
        "The dashboard of all uploads is neither made nor repaired.",
        "Name another one: the number of one that is there and no tenant's, or a name, which is made.",
    ),
    "fleet-unset": Problem(
        "There is no such dashboard here",
        "The dashboard of all uploads needs a Grafana and an InfluxDB that keeps the summaries; the sentence says "
        "which is missing.",
        "Nothing. The page Uploads, Fleet shows the same.",
        "Set up what is missing, if you want it in Grafana.",
    ),
    "grafana-own": Problem(
        "The tenant's own Grafana cannot be used",
        "Its address or key among the tenant's credentials is missing, wrong, or allows too little.",
        "Nothing was written there. What stood elsewhere still stands.",
        "Set GRAFANA_URL and GRAFANA_API_KEY among the tenant's credentials: the key of a service account that is "
        "Admin of one organisation. Or GRAFANA_USER and GRAFANA_PASSWORD of a server administrator.",
    ),
    "grafana-taken": Problem(
        "Grafana has something of that name already",
        "An organisation, folder, data source or dashboard of the wanted name or uid was made by somebody else.",
        "It was left as it is, and the step was not done.",
        "Rename or delete it in Grafana, then try again; for organisations BELVEDERE_GRAFANA_ORGANISATION may give "
        "other names.",
    ),
    "grafana-user": Problem(
        "A user of the tenant cannot be had",
        "Grafana has a user of that login or address that may be somebody else's, or lacks the default user that the "
        "settings name.",
        "The user was given nothing. The rest of the workspace stands.",
        "Rename or delete that user, or give it another address; for default users choose other names in "
        "BELVEDERE_GRAFANA_DEFAULT_USER; `-` makes none.",
    ),
    "handed-over": Problem(
        "The first password was handed over",
        "A first password in Grafana is given away once: it is made for that and kept nowhere.",
        "Nothing was changed. Whoever took it has it; the history says who that was.",
        "An administrator of Grafana gives the user another one, on its page of users.",
    ),
    "grafana-member": Problem(
        "Somebody lets a member in again who was taken out",
        "Ten seconds after the member was taken out of the organisation in Grafana, the user was in it again: an "
        "admin there added it, or a single sign-on that sets organisations did.",
        "The user was taken out once more.",
        "Find who adds it; with single sign-on set skip_org_role_sync. Then try again.",
    ),
    "grafana-public": Problem(
        "Grafana has no public page for the picture",
        "Pictures are to be taken of public pages (BELVEDERE_GRAFANA_CAPTURE=public), and Grafana has them switched "
        "off, somebody paused that of this dashboard, or it has variables, which public pages do not fill in.",
        "The dashboard stands and is private; its message goes out as text.",
        "Switch public dashboards on in Grafana, or resume or remove the paused page; for dashboards with variables "
        "set BELVEDERE_GRAFANA_CAPTURE=token.",
    ),
    "grafana-renderer": Problem(
        "Grafana's image renderer made no picture",
        "Pictures are to be taken by the image renderer (BELVEDERE_GRAFANA_CAPTURE=renderer), which is not installed, "
        "did not end in time, or failed.",
        "The dashboard stands; it is tried again, then its message goes out as text.",
        "Install the image renderer, or read its log; or set BELVEDERE_GRAFANA_CAPTURE=token.",
    ),
    "grafana-quota": Problem(
        "Grafana's quota is reached",
        "Quotas are on, and one is used up: organisations of a user, data sources, dashboards.",
        "The step was not done.",
        "Raise the quota in Grafana's settings, section quota, then try again.",
    ),
    "grafana-refused": Problem(
        "Grafana refused the request",
        "Its own sentence says why; a version that is older than 9.3 is one reason.",
        "The step was not done.",
        "Follow Grafana's sentence, then try again.",
    ),
    "tier": Problem(
        "There is no such tier here",
        "The name is none of viewer, org, team and instance, or this installation has not what the tier needs.",
        "The tenant looks where it looked.",
        "Choose one that the answer names. `org` needs a Grafana; `team` also the query gateway's settings.",
    ),
    "grafana-source": Problem(
        "Grafana does not reach the tenant's databases",
        "From where Grafana runs, PostgreSQL has another address, or refuses it; the sentence is PostgreSQL's own.",
        "The tenant's dashboards in Grafana show errors.",
        "Name the address as Grafana sees it in BELVEDERE_GRAFANA_STORE_ADDRESS, and let pg_hba.conf admit it.",
    ),
}
