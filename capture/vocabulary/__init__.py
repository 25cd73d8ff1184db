"""Every event that copydesk knows from the start, a file for each family.

The classes of `review.*` and `publication.*` stand here since projections fold them; only `review` decides when they
are appended.
"""

from __future__ import annotations

from capture.vocabulary.actions import ActionPerformed
from capture.vocabulary.breadcrumbs import BreadcrumbLeft
from capture.vocabulary.capture import CaptureGapped
from capture.vocabulary.content_hash import canonical_json, content_hash, hash_parts, kind_of
from capture.vocabulary.contracts import ContractAmended, ContractAssigned, ContractCompleted, ContractOpened
from capture.vocabulary.coordination import CoordinationRequested, CoordinationResolved
from capture.vocabulary.drafts import ActionProposed, CommentDrafted, Draft, Media, MessageDrafted, SocialPostDrafted
from capture.vocabulary.memory import ErrorLearned, MemoryForgotten, MemoryLearned, PatternLearned
from capture.vocabulary.outputs import OutputRevised, OutputSkipped, OutputWithdrawn
from capture.vocabulary.presence import AgentAwakened, AgentDetached, AgentHeartbeat, AgentReenabled
from capture.vocabulary.publication import (
    PublicationConfirmed,
    PublicationFailed,
    PublicationLost,
    PublicationRehearsed,
    PublicationResolved,
    PublicationResumed,
    PublicationResumedAfterRestore,
    PublicationRetracted,
    PublicationRetractionFailed,
    PublicationRetractionStarted,
    PublicationStarted,
    PublicationStopped,
)
from capture.vocabulary.review import (
    Finding,
    ReviewAcknowledged,
    ReviewApproved,
    ReviewAutomationPaused,
    ReviewAutomationResumed,
    ReviewChangesRequested,
    ReviewClaimed,
    ReviewEdited,
    ReviewExpired,
    ReviewFlagged,
    ReviewOpened,
    ReviewPolicyAdopted,
    ReviewRejected,
    ReviewReleased,
    ReviewRevoked,
    ReviewShown,
    ReviewSuperseded,
    ReviewWithdrawn,
)
from capture.vocabulary.signals import SignalBroadcast
from capture.vocabulary.skills import SkillPerformed
from capture.vocabulary.tasks import TaskAssigned, TaskCompleted, TaskDiscovered
from capture.vocabulary.telemetry import LogRecorded, ModelCalled, ToolCalled
from capture.vocabulary.transactions import TransactionRecorded

__all__ = [
    "ActionPerformed",
    "ActionProposed",
    "AgentAwakened",
    "AgentDetached",
    "AgentHeartbeat",
    "AgentReenabled",
    "BreadcrumbLeft",
    "CaptureGapped",
    "CommentDrafted",
    "ContractAmended",
    "ContractAssigned",
    "ContractCompleted",
    "ContractOpened",
    "CoordinationRequested",
    "CoordinationResolved",
    "Draft",
    "ErrorLearned",
    "Finding",
    "LogRecorded",
    "Media",
    "MemoryForgotten",
    "MemoryLearned",
    "MessageDrafted",
    "ModelCalled",
    "OutputRevised",
    "OutputSkipped",
    "OutputWithdrawn",
    "PatternLearned",
    "PublicationConfirmed",
    "PublicationFailed",
    "PublicationLost",
    "PublicationRehearsed",
    "PublicationResolved",
    "PublicationResumed",
    "PublicationResumedAfterRestore",
    "PublicationRetracted",
    "PublicationRetractionFailed",
    "PublicationRetractionStarted",
    "PublicationStarted",
    "PublicationStopped",
    "ReviewAcknowledged",
    "ReviewApproved",
    "ReviewAutomationPaused",
    "ReviewAutomationResumed",
    "ReviewChangesRequested",
    "ReviewClaimed",
    "ReviewEdited",
    "ReviewExpired",
    "ReviewFlagged",
    "ReviewOpened",
    "ReviewPolicyAdopted",
    "ReviewRejected",
    "ReviewReleased",
    "ReviewRevoked",
    "ReviewShown",
    "ReviewSuperseded",
    "ReviewWithdrawn",
    "SignalBroadcast",
    "SkillPerformed",
    "SocialPostDrafted",
    "TaskAssigned",
    "TaskCompleted",
    "TaskDiscovered",
    "ToolCalled",
    "TransactionRecorded",
    "canonical_json",
    "content_hash",
    "hash_parts",
    "kind_of",
]
