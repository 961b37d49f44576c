"""The fixtures of the pytest plugin, by name.

Installing flask-byok brings them to every test; nothing needs to be listed. This module
is for runs without plugins of the environment (``PYTEST_DISABLE_PLUGIN_AUTOLOAD``): put
``pytest_plugins = ["flask_byok.testing.fixtures"]`` into your ``conftest.py``.
"""

from _flask_byok_pytest import _byok_company_keys as _byok_company_keys
from _flask_byok_pytest import _byok_simulator_server as _byok_simulator_server
from _flask_byok_pytest import byok_app as byok_app
from _flask_byok_pytest import byok_company_id as byok_company_id
from _flask_byok_pytest import byok_connect as byok_connect
from _flask_byok_pytest import byok_settings as byok_settings
from _flask_byok_pytest import byok_signals as byok_signals
from _flask_byok_pytest import byok_simulator as byok_simulator
from _flask_byok_pytest import company_key as company_key
from _flask_byok_pytest import failing_key as failing_key
from _flask_byok_pytest import leak_guard as leak_guard
from _flask_byok_pytest import pytest_runtest_call as pytest_runtest_call
