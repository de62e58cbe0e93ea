"""Who may do what, in a city whose access is not open: tokens of its own provider, rules, records."""

import csv
import io
import re
import subprocess
import time
from urllib.parse import quote

import pytest
import requests

from conftest import ROOT
from test_evidence import MANIFEST
