"""A Django project: bin/weir run mysite.wsgi --chdir examples/django"""

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

# StaticFilesHandler serves what is under STATIC_URL from where it lies, the admin's files too. A site that is used much has
# "manage.py collectstatic" put them into one folder, and WhiteNoise or a server in front serve that.
application = StaticFilesHandler(get_wsgi_application())
