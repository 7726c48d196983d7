package fakesoftlayer

import (
	"fmt"
	"net/http"
)

// apiError is an exception as the REST endpoint writes it,
// {"error":"text","code":"SoftLayer_Exception..."}
// (https://sldn.softlayer.com/article/exception-handling-softlayer-api/).
type apiError struct {
	status int
	Text   string `json:"error"`
	Code   string `json:"code"`
}

func (e *apiError) Error() string { return e.Code + ": " + e.Text }

// exception is a business error: SoftLayer answers nearly all of them with 500.
func exception(code, text string) *apiError {
	return &apiError{http.StatusInternalServerError, text, code}
}

// The five texts of createCancelServerTicket, word for word. Their class is
// documented, their status is by analogy with every other business error.
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/createCancelServerTicket
func errNoAttachment() *apiError {
	return exception("SoftLayer_Exception", "Attachment id must be provided.")
}

func errNoReason() *apiError {
	return exception("SoftLayer_Exception", "Cancellation reason must be provided.")
}

func errNoContent() *apiError {
	return exception("SoftLayer_Exception", "Cancellation content description must be provided.")
}

func errDuplicate(ticket int64) *apiError {
	return exception("SoftLayer_Exception", fmt.Sprintf(
		"A cancellation ticket already exists for this server. Please refer to ticket %d.", ticket))
}

func errPermission() *apiError {
	return exception("SoftLayer_Exception", "You do not have permission to this service.")
}

// errInternal is what SoftLayer says when it was asked for too much.
func errInternal() *apiError {
	return exception("SoftLayer_Exception_Public", "Internal Error")
}

// errNotFound means absent or not permitted; SoftLayer does not tell which.
func errNotFound(id any) *apiError {
	return &apiError{
		http.StatusNotFound, fmt.Sprintf("Unable to find object with id of '%v'.", id),
		"SoftLayer_Exception_ObjectNotFound",
	}
}

func errUnauthorized() *apiError {
	return &apiError{http.StatusUnauthorized, "Access Denied. ", "SoftLayer_Exception_Public"}
}

// errBadRequest has the vendor's text and code; its status 400 is unproven.
func errBadRequest() *apiError {
	return &apiError{http.StatusBadRequest, "Bad request", "SoftLayer_Exception_WebService_BadRequest"}
}

func errMethod(name string) *apiError {
	return exception("SoftLayer_Exception_Public",
		fmt.Sprintf("Function (%q) is not a valid method for this service.", name))
}

// errService's wording is unproven: only "service does not exist" is reported
// (https://github.com/softlayer/softlayer-python/issues/972).
func errService(name string) *apiError {
	return exception("SoftLayer_Exception_Public", fmt.Sprintf("Service %q does not exist.", name))
}

// errProperty is as in https://github.com/softlayer/softlayer-python/issues/1088.
func errProperty(name, kind string) *apiError {
	return exception("SoftLayer_Exception_WebService_ObjectMask",
		fmt.Sprintf("Property '%s' not valid for '%s'.", name, kind))
}

// errMaskSyntax is as in https://github.com/softlayer/softlayer-python/pull/345.
func errMaskSyntax(column int, want, got string) *apiError {
	return exception("SoftLayer_Exception_Common_Parser",
		fmt.Sprintf("Error on line 1 at column %d: Expected %s, got '%s'", column, want, got))
}

// errRateLimit is as in https://github.com/softlayer/softlayer-python/issues/884.
func errRateLimit() *apiError {
	return exception("SoftLayer_Exception_WebService_RateLimitExceeded",
		"Rate limit of 50 requests for every 1 second(s) exceeded.")
}

// errToken has the documented code; its text is unproven.
func errToken() *apiError {
	return exception("SoftLayer_Exception_Account_Authentication_AccessTokenValidation",
		"Access token has expired.")
}
