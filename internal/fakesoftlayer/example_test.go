package fakesoftlayer_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"cancel-server/internal/fakesoftlayer"
)

// A client is given the address and the key of a fresh account. Here the
// connection drops after the ticket was made; asking again tells of it.
func Example() {
	account := fakesoftlayer.New(fakesoftlayer.Options{Servers: 20, Seed: 1})
	server := httptest.NewServer(account.Handler())
	defer server.Close()
	if err := account.Fault("SoftLayer_Ticket/createCancelServerTicket", "drop_after", 1); err != nil {
		fmt.Println(err)
	}
	id := account.Cancelable()
	cancel := func() {
		body := fmt.Sprintf(`{"parameters":[%d,"No longer needed","replaced",false,"HARDWARE"]}`, id)
		r, _ := http.NewRequest(http.MethodPost, server.URL+"/rest/v3.1/SoftLayer_Ticket/createCancelServerTicket.json", strings.NewReader(body))
		r.SetBasicAuth(account.Username(), account.APIKey())
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println("the answer is lost")
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		fmt.Println(response.StatusCode, strings.Split(string(text), " Please")[0])
	}
	cancel()
	cancel()
	// Output:
	// the answer is lost
	// 500 {"error":"A cancellation ticket already exists for this server.
}
